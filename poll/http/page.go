package http

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

// readPageFile is the text of one of the embedded files.
func readPageFile(name string) (string, error) {
	text, err := pageFiles.ReadFile("pages/" + name)
	return strings.TrimSpace(string(text)), err
}

// newTemplate is the layout with one page's pieces in it.
func newTemplate(page string) (*template.Template, error) {
	return template.ParseFS(pageFiles, "pages/layout.html", "pages/"+page)
}

// frame is what the layout itself needs.
type frame struct {
	Style     template.CSS
	BodyClass string
}

// page is a whole page, ready to be sent.
type page struct {
	plain, compressed []byte
	plainLength       []string // the Content-Length headers
	compressedLength  []string
	policy            []string // the Content-Security-Policy header
}

// render makes a page. The policy allows exactly the page's own style and, if there is one, script, and nothing from
// anywhere else.
func render(from *template.Template, data any, style, script string) (*page, error) {
	var plain, compressed bytes.Buffer
	if err := from.ExecuteTemplate(&plain, "layout", data); err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	// Fast rather than small: the results are rendered again with every change.
	level := gzip.BestCompression
	if script != "" {
		level = gzip.BestSpeed
	}
	packer, err := gzip.NewWriterLevel(&compressed, level)
	if err != nil {
		return nil, fmt.Errorf("compress page: %w", err)
	}
	if _, err := packer.Write(plain.Bytes()); err != nil {
		return nil, fmt.Errorf("compress page: %w", err)
	}
	if err := packer.Close(); err != nil {
		return nil, fmt.Errorf("compress page: %w", err)
	}
	return &page{
		plain:            plain.Bytes(),
		compressed:       compressed.Bytes(),
		plainLength:      []string{strconv.Itoa(plain.Len())},
		compressedLength: []string{strconv.Itoa(compressed.Len())},
		policy:           []string{contentSecurityPolicy(style, script)},
	}, nil
}

// contentSecurityPolicy allows the inline style and script with exactly these texts. A page with a script may ask its own
// site for data.
func contentSecurityPolicy(style, script string) string {
	policy := "default-src 'none'; img-src data:; style-src " + sourceHash(style) +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if script != "" {
		policy += "; script-src " + sourceHash(script) + "; connect-src 'self'"
	}
	return policy
}

func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Headers that every page has, made once.
var (
	headerHTML    = []string{"text/html; charset=utf-8"}
	headerNoStore = []string{"no-store"}
	headerNoSniff = []string{"nosniff"}
	headerSame    = []string{"same-origin"}
	headerVary    = []string{"Accept-Encoding, Cookie"}
	headerGzip    = []string{"gzip"}
)

// send answers with the page.
func (p *page) send(w http.ResponseWriter, r *http.Request, status int) {
	header := w.Header()
	header["Content-Type"] = headerHTML
	header["Cache-Control"] = headerNoStore // it shows the voter's own choice, or numbers that change
	header["X-Content-Type-Options"] = headerNoSniff
	header["Referrer-Policy"] = headerSame
	header["Content-Security-Policy"] = p.policy
	header["Vary"] = headerVary
	body, length := p.plain, p.plainLength
	if acceptsGzip(r) {
		body, length = p.compressed, p.compressedLength
		header["Content-Encoding"] = headerGzip
	}
	header["Content-Length"] = length
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone; there is nobody to tell
	}
}

// acceptsGzip reports whether the client said that it reads gzip.
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header["Accept-Encoding"] {
		for part := range strings.SplitSeq(line, ",") {
			coding, quality, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				weight, isWeight := strings.CutPrefix(strings.TrimSpace(quality), "q=")
				return !isWeight || strings.Trim(weight, "0.") != ""
			}
		}
	}
	return false
}
