package http

import (
	"net/http"
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// messages makes pages that say why there is nothing to show, with a link back.
type messages struct {
	style     string
	kicker    string
	homeLabel string
	container string // may be empty
}

func (m messages) page(heading, sentence string) (*page, error) {
	f := frame{
		title:  heading,
		kicker: m.kicker,
		style:  m.style,
		main: g.Group{
			h.H1(g.Text(heading)), newline,
			h.P(h.Class("lead"), g.Text(sentence)), newline,
			h.A(h.Class("home"), h.Href("/"), g.Text(m.homeLabel)),
		},
	}
	if m.container != "" {
		f.foot = answeredBy(m.container)
	}
	return render(layout(f), m.style, "")
}

// answeredBy is the line that says which container made the page.
func answeredBy(container string) g.Node { return h.P(g.Text("Answered by container " + container)) }

// commonMessages are the pages that both programs have.
type commonMessages struct {
	notFound, wrongMethod *page
}

func (m messages) common() (commonMessages, error) {
	notFound, err := m.page("Nothing here", "There is no page at this address.")
	if err != nil {
		return commonMessages{}, err
	}
	wrongMethod, err := m.page("That does not work here", "This page cannot be asked for in this way.")
	return commonMessages{notFound: notFound, wrongMethod: wrongMethod}, err
}

// only passes on requests with these methods, and answers others with 405 and the allowed ones.
func (m commonMessages) only(allow string, methods []string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(methods, r.Method) {
			next(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		m.wrongMethod.send(w, r, http.StatusMethodNotAllowed)
	}
}

var readMethods = []string{http.MethodGet, http.MethodHead}
