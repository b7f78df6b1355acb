package http

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

//go:embed pages
var pageFiles embed.FS

// readPageFile is the text of one of the embedded files.
func readPageFile(name string) (string, error) {
	text, err := pageFiles.ReadFile("pages/" + name)
	return strings.TrimSpace(string(text)), err
}

// readStyle is the style sheet of the programs' pages.
func readStyle() (string, error) {
	frame, err := readPageFile("frame.css")
	if err != nil {
		return "", err
	}
	rest, err := readPageFile("style.css")
	return frame + "\n" + rest, err
}

// frame has the parts in which pages differ.
type frame struct {
	title, bodyClass, kicker string
	head                     g.Node // more for the head; may be nil
	main                     g.Group
	foot                     g.Node // may be nil
	style                    string
}

// newline keeps the source of the pages readable.
var newline = g.Raw("\n")

// icon is the mark of the poll, two bars, as an address.
const icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 18'%3E" +
	"%3Crect y='1' width='28' height='7' rx='3.5' fill='%231f4fd8'/%3E" +
	"%3Crect y='10' width='17' height='7' rx='3.5' fill='%23b8400a'/%3E%3C/svg%3E"

// layout is the whole page. What comes from settings or from the database enters by g.Text or as an attribute's value, which
// escape it. g.Raw is only for the texts of this package.
func layout(f frame) g.Node {
	return g.Group{
		g.Raw("<!doctype html>\n"),
		h.HTML(h.Lang("en"), newline,
			h.Head(newline,
				h.Meta(h.Charset("utf-8")), newline,
				h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")), newline,
				h.Meta(h.Name("robots"), h.Content("noindex")), newline,
				h.TitleEl(g.Text(f.title)), newline,
				h.Link(h.Rel("icon"), h.Href(icon)), newline,
				h.StyleEl(g.Raw(f.style)), newline,
				f.head,
			), newline,
			h.Body(g.If(f.bodyClass != "", h.Class(f.bodyClass)), newline,
				h.Main(newline, h.P(h.Class("kicker"), mark(), g.Text(f.kicker)), newline, f.main, newline), newline,
				h.Footer(h.Class("page-foot"), newline, f.foot, newline), newline,
			), newline,
		), newline,
	}
}

// mark is the icon as a drawing.
func mark() g.Node {
	bar := func(class, y, width string) g.Node {
		return g.El("rect", h.Class(class), g.Attr("y", y), h.Width(width), h.Height("7"), g.Attr("rx", "3.5"))
	}
	return h.SVG(h.Class("mark"), g.Attr("viewBox", "0 0 28 18"), h.Aria("hidden", "true"), bar("a", "1", "28"), bar("b", "10", "17"))
}

// page is a whole page, ready to be sent.
type page struct {
	plain, compressed []byte
	plainLength       []string // the Content-Length headers
	compressedLength  []string
	policy            []string // the Content-Security-Policy header
}

// render makes a page. Its policy allows its own style and, if there is one, its own script, and nothing else.
func render(content g.Node, style, script string) (*page, error) {
	var plain, compressed bytes.Buffer
	if err := content.Render(&plain); err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	// A page with a script shows results, which are rendered again with every change: fast matters more than small.
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
	headerVary    = []string{"Accept-Encoding, Cookie"}
	headerGzip    = []string{"gzip"}
)

// send answers with the page.
func (p *page) send(w http.ResponseWriter, r *http.Request, status int) {
	header := w.Header()
	header["Content-Type"] = headerHTML
	header["Cache-Control"] = headerNoStore // the page shows the voter's own choice, or numbers that change
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
		_, _ = w.Write(body) // an error means that the client is gone
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
