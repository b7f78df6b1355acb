package http

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A proxy in front says in headers what the browser asked for: X-Forwarded-Proto, -Host and -Port, or Forwarded (RFC 7239). Each proxy on
// the way appends to what was there, so the first element is the browser's. Anybody can send these headers. They decide only
// about the sender's own cookie, and a browser sends none of them for another site's page.

// byHTTPS reports whether the browser asked by https.
func byHTTPS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if proto := firstElement(r.Header["X-Forwarded-Proto"]); proto != "" {
		return strings.EqualFold(proto, "https")
	}
	return strings.EqualFold(forwarded(r, "proto"), "https")
}

// crossSite reports whether a page of another site had the browser send the request. A request that does not say which page it comes
// from is no browser's. The page has these host names, at any port, even if a proxy does not pass on which one the browser asked for.
func crossSite(r *http.Request, names []string) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "": // an old browser, or plain http
	default:
		return true
	}
	text := r.Header.Get("Origin")
	if text == "" {
		return false
	}
	origin, err := url.Parse(text)
	if err != nil || origin.Host == "" {
		return true
	}
	if slices.Contains(names, strings.TrimSuffix(strings.ToLower(origin.Hostname()), ".")) {
		return false
	}
	asked := authority(origin.Host, origin.Scheme)
	port := firstElement(r.Header["X-Forwarded-Port"])
	for _, host := range []string{r.Host, firstElement(r.Header["X-Forwarded-Host"]), forwarded(r, "host")} {
		if host == "" {
			continue
		}
		spellings := []string{host}
		if port != "" && !hasPort(host) {
			spellings = append(spellings, host+":"+port)
		}
		for _, spelling := range spellings {
			// A proxy that ends TLS may name either port.
			if authority(spelling, "http") == asked || authority(spelling, "https") == asked {
				return false
			}
		}
	}
	return true
}

// hasPort reports whether a host has a port after it. An IPv6 address has colons in its brackets.
func hasPort(host string) bool {
	return strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']')
}

// authority is host and port in one spelling: in lower case, without a dot at the end and without the scheme's default port.
func authority(host, scheme string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ".")
}

// firstElement is the first element of a header whose lines are lists.
func firstElement(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(lines[0], ",")
	return strings.TrimSpace(first)
}

// forwarded is the value of a parameter in the first element of the header Forwarded.
func forwarded(r *http.Request, parameter string) string {
	lines := r.Header["Forwarded"]
	if len(lines) == 0 {
		return ""
	}
	rest, _ := cutUnquoted(lines[0], ',')
	for rest != "" {
		var pair string
		pair, rest = cutUnquoted(rest, ';')
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(strings.TrimSpace(name), parameter) {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// cutUnquoted returns what stands before and after the first separator that is not in quotes.
func cutUnquoted(text string, separator byte) (before, after string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++ // it stands for the next character
		case text[i] == '"':
			quoted = !quoted
		case !quoted && text[i] == separator:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}
