// Package svg draws the pictures of the pages. `make pictures` writes them, and a
// test holds each one to what draws it.
package svg

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Picture is an SVG picture. It has a background of its own and follows the
// reader's choice of light or dark, so that it can be read on any page.
type Picture struct {
	width, height int
	body          strings.Builder
	title         string
}

// The classes of shapes and of texts.
const (
	Box   = "box"   // a thing
	Main  = "main"  // the thing that the picture is about
	Frame = "frame" // what belongs together
	Bad   = "bad"
	Good  = "good"
	Fault = "fault" // a time in which something fails
	Grid  = "grid"
	Small = "small"
	Head  = "head"
)

const style = `
text { font: 14px -apple-system, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; fill: #1f2328 }
.head { font-weight: 600 }
.small { font-size: 12px; fill: #59636e }
.page { fill: #ffffff; stroke: #d1d9e0 }
.box { fill: #f6f8fa; stroke: #818b98 }
.main { fill: #ddf4ff; stroke: #0969da }
.frame { fill: none; stroke: #818b98; stroke-dasharray: 4 4 }
.arrow { fill: none; stroke: #59636e; stroke-width: 1.5 }
.tip { fill: #59636e }
.grid { fill: none; stroke: #d1d9e0 }
.good { fill: none; stroke: #0969da; stroke-width: 2 }
.bad { fill: none; stroke: #cf222e; stroke-width: 5 }
text.bad { fill: #cf222e; stroke: none; font-weight: 600 }
.fault { fill: #cf222e; fill-opacity: 0.12; stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.small { fill: #9198a1 }
.page { fill: #0d1117; stroke: #3d444d }
.box { fill: #151b23; stroke: #656c76 }
.main { fill: #0c2d4d; stroke: #4493f8 }
.frame { stroke: #656c76 }
.arrow { stroke: #9198a1 }
.tip { fill: #9198a1 }
.grid { stroke: #3d444d }
.good { stroke: #4493f8 }
.bad { stroke: #f85149 }
text.bad { fill: #f85149 }
.fault { fill: #f85149; fill-opacity: 0.25 }
}
`

// New returns an empty picture. The title is read aloud in its place.
func New(width, height int, title string) *Picture {
	return &Picture{width: width, height: height, title: title}
}

func (p *Picture) add(format string, args ...any) { fmt.Fprintf(&p.body, format+"\n", args...) }

// number is short: a tenth of a point is not seen.
func number(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

// Rect draws a rectangle.
func (p *Picture) Rect(class string, x, y, width, height float64) {
	p.add(`<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="4"/>`, class, number(x), number(y), number(width), number(height))
}

// Text writes a line whose middle is at x.
func (p *Picture) Text(class string, x, y float64, text string) { p.text(class, "middle", x, y, text) }

// TextFrom writes a line that begins at x.
func (p *Picture) TextFrom(class string, x, y float64, text string) {
	p.text(class, "start", x, y, text)
}

// TextTo writes a line that ends at x.
func (p *Picture) TextTo(class string, x, y float64, text string) { p.text(class, "end", x, y, text) }

func (p *Picture) text(class, anchor string, x, y float64, text string) {
	p.add(`<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`, class, number(x), number(y), anchor, html.EscapeString(text))
}

// Named draws a rectangle with a name and a line below it.
func (p *Picture) Named(class string, x, y, width, height float64, name, below string) {
	p.Rect(class, x, y, width, height)
	p.Text(Head, x+width/2, y+height/2-3, name)
	p.Text(Small, x+width/2, y+height/2+15, below)
}

// Point is a point of a line.
type Point struct{ X, Y float64 }

// Line draws a line through points.
func (p *Picture) Line(class string, points ...Point) {
	var path []string
	for _, at := range points {
		path = append(path, number(at.X)+","+number(at.Y))
	}
	p.add(`<polyline class="%s" points="%s"/>`, class, strings.Join(path, " "))
}

// Arrow draws an arrow, with a tip at both ends if it is two-way.
func (p *Picture) Arrow(x1, y1, x2, y2 float64, twoWay bool) {
	start := ""
	if twoWay {
		start = ` marker-start="url(#tip)"`
	}
	p.add(`<path class="arrow" d="M%s %sL%s %s"%s marker-end="url(#tip)"/>`, number(x1), number(y1), number(x2), number(y2), start)
}

// Document returns the SVG file.
func (p *Picture) Document() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", p.width, p.height, p.width, p.height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", html.EscapeString(p.title), style)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, `<rect class="page" x="0.5" y="0.5" width="%d" height="%d" rx="6"/>`+"\n", p.width-1, p.height-1)
	b.WriteString(p.body.String())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// Check fails the test if the file is not this picture. With draw it writes the
// file.
func (p *Picture) Check(t testing.TB, file string, draw bool) {
	t.Helper()
	if draw {
		if err := os.WriteFile(file, p.Document(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	// A checkout may have other line ends.
	there, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(bytes.ReplaceAll(there, []byte("\r\n"), []byte("\n")), p.Document()) {
		t.Errorf("%s is not current (%v): run make pictures", file, err)
	}
}
