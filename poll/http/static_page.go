package http

import "strings"

// StaticPage is a page in the poll's look for a server that answers in the poll's place, such as the load balancer.
type StaticPage struct {
	Body   string // HTML, in one line
	Policy string // its Content-Security-Policy
}

// NewStaticPage makes a page that says why there is nothing else to show. Its link leads to "/".
func NewStaticPage(kicker, heading, sentence, link string) (StaticPage, error) {
	style, err := readPageFile("frame.css")
	if err != nil {
		return StaticPage{}, err
	}
	style = oneLine(style)
	made, err := messages{style: style, kicker: kicker, homeLabel: link}.page(heading, sentence)
	if err != nil {
		return StaticPage{}, err
	}
	return StaticPage{Body: oneLine(string(made.plain)), Policy: made.policy[0]}, nil
}

// oneLine joins lines. Neither HTML nor CSS minds, as the pages have no preformatted text.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
