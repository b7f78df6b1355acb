package http

import "net/http"

// NewVoterHeader marks an answer with the cookie of a new voter. The load balancer counts such answers, keeps some back, and takes
// the mark away.
const NewVoterHeader = "New-Voter"

// StrictTransport has browsers that came by https come by https for thirty days. It is that short because a poll is short, and its
// host may serve something else after it.
const StrictTransport = "max-age=2592000"

// Header is a header of an answer.
type Header struct{ Name, Value string }

// SecurityHeaders are those that every answer has, whatever is answered.
func SecurityHeaders() []Header {
	return []Header{
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Permissions-Policy", "browsing-topics=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
		{"X-Frame-Options", "DENY"},
	}
}

// secured is the security headers, ready to be set: Go's map of headers has slices.
type secured struct {
	names  []string // in Go's spelling
	values [][]string
}

func newSecured() secured {
	var s secured
	for _, header := range SecurityHeaders() {
		s.names = append(s.names, http.CanonicalHeaderKey(header.Name))
		s.values = append(s.values, []string{header.Value})
	}
	return s
}

// set sets the headers of the answer to r.
func (s secured) set(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	for i, name := range s.names {
		header[name] = s.values[i]
	}
	if byHTTPS(r) {
		header["Strict-Transport-Security"] = []string{StrictTransport}
	}
	header["Content-Security-Policy"] = barePolicy // a page has a stricter one
}

// barePolicy is for answers that are no pages.
var barePolicy = []string{"default-src 'none'; frame-ancestors 'none'"}
