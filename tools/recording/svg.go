package main

import (
	"fmt"
	"html"
	"image/color"
	"io"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// Measures of the drawing, in pixels. A character of the usual monospaced fonts is 0.6 of its size wide.
const (
	fontSize   = 14.0
	cellWidth  = 0.6 * fontSize
	lineHeight = 18.0
	margin     = 14.0
)

// palette has the colours of the terminal's sixteen, on a dark ground.
var palette = [16]string{
	"#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
	"#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#f0f6fc",
}

// line is a row of the terminal, as pieces of text that look the same.
type line []piece

// piece is a text that begins at a column. It has no two spaces in a row, so that what is aligned stays aligned in any font.
type piece struct {
	column int
	text   string
	look   look
}

// look is how a piece is drawn.
type look struct {
	colour      string // empty: the terminal's own
	bold, faint bool
}

// screen is what is drawn.
type screen interface {
	Width() int
	Height() int
	CellAt(x, y int) *uv.Cell
}

func linesOf(s screen) []line {
	lines := make([]line, s.Height())
	for y := range lines {
		lines[y] = lineOf(s, y)
	}
	return lines
}

func lineOf(s screen, y int) line {
	var l line
	spaces := 2 // before the next character; two or more begin a new piece
	for x := range s.Width() {
		cell := s.CellAt(x, y)
		if cell == nil || strings.TrimSpace(cell.Content) == "" {
			spaces++
			continue
		}
		style := lookOf(cell.Style)
		if spaces > 1 || l[len(l)-1].look != style {
			l = append(l, piece{column: x, look: style})
			spaces = 0
		}
		last := &l[len(l)-1]
		last.text += strings.Repeat(" ", spaces) + cell.Content
		spaces = 0
	}
	return l
}

func lookOf(style uv.Style) look {
	l := look{bold: style.Attrs&uv.AttrBold != 0, faint: style.Attrs&uv.AttrFaint != 0}
	switch c := style.Fg.(type) {
	case nil:
	case ansi.BasicColor:
		l.colour = palette[c]
	default:
		rgba := color.RGBAModel.Convert(c).(color.RGBA)
		l.colour = fmt.Sprintf("#%02x%02x%02x", rgba.R, rgba.G, rgba.B)
	}
	return l
}

// drawing is an animated SVG. Its frames stand side by side like a film's, and are moved past the picture.
type drawing struct {
	columns, rows int
	frames        []frame
}

func (d drawing) write(w io.Writer) {
	width, height := float64(d.columns)*cellWidth+2*margin, float64(d.rows)*lineHeight+2*margin
	var total float64
	for _, f := range d.frames {
		total += f.shown.Seconds()
	}
	p := func(format string, arguments ...any) { fmt.Fprintf(w, format, arguments...) }
	p(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img">`+"\n", width, height, width, height)
	p("<style>\ntext{font:%.0fpx ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',monospace;fill:#e6edf3;white-space:pre}\n", fontSize)
	// Where nothing moves, the last frame is shown.
	p(".film{transform:translateX(%.0fpx);animation:film %.1fs step-end infinite}\n", -width*float64(len(d.frames)-1), total)
	p("@media(prefers-reduced-motion){.film{animation:none}}\n@keyframes film{\n")
	var begin float64
	for i, f := range d.frames {
		p("%.3f%%{transform:translateX(%.0fpx)}\n", 100*begin/total, -width*float64(i))
		begin += f.shown.Seconds()
	}
	p("}\n</style>\n<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"#0d1117\"/>\n")

	// A line that several frames have is drawn once.
	names := map[string]string{}
	var film strings.Builder
	p("<defs>\n")
	for i, f := range d.frames {
		fmt.Fprintf(&film, `<g transform="translate(%.0f)">`, width*float64(i))
		for row, l := range f.lines {
			if len(l) == 0 {
				continue
			}
			text := l.svg()
			name, known := names[text]
			if !known {
				name = fmt.Sprintf("l%d", len(names))
				names[text] = name
				p("<text id=\"%s\">%s</text>\n", name, text)
			}
			fmt.Fprintf(&film, `<use href="#%s" y="%.0f"/>`, name, margin+float64(row)*lineHeight+fontSize)
		}
		film.WriteString("</g>\n")
	}
	p("</defs>\n<g class=\"film\">\n%s</g>\n</svg>\n", film.String())
}

func (l line) svg() string {
	var text strings.Builder
	for _, piece := range l {
		fmt.Fprintf(&text, `<tspan x="%.1f"`, margin+float64(piece.column)*cellWidth)
		if piece.look.colour != "" {
			fmt.Fprintf(&text, ` fill="%s"`, piece.look.colour)
		}
		if piece.look.bold {
			text.WriteString(` font-weight="bold"`)
		}
		if piece.look.faint {
			text.WriteString(` opacity=".6"`)
		}
		text.WriteString(">" + html.EscapeString(piece.text) + "</tspan>")
	}
	return text.String()
}
