package http

import (
	"html/template"
	"net/http"
)

// messagePage shows one sentence and the way back.
type messagePage struct {
	frame
	Kicker, Heading, Sentence, HomeLabel, Container string
}

// messages renders pages that say why there is nothing else to show.
type messages struct {
	template  *template.Template
	style     string
	kicker    string
	homeLabel string
	container string
}

func newMessages(style, kicker, homeLabel, container string) (*messages, error) {
	parsed, err := newTemplate("message.html")
	if err != nil {
		return nil, err
	}
	return &messages{template: parsed, style: style, kicker: kicker, homeLabel: homeLabel, container: container}, nil
}

func (m *messages) page(heading, sentence string) (*page, error) {
	return render(m.template, messagePage{
		frame:     frame{Style: template.CSS(m.style)},
		Kicker:    m.kicker,
		Heading:   heading,
		Sentence:  sentence,
		HomeLabel: m.homeLabel,
		Container: m.container,
	}, m.style, "")
}

// commonMessages are the pages that both programs have.
type commonMessages struct {
	notFound, wrongMethod *page
}

func (m *messages) common() (commonMessages, error) {
	notFound, err := m.page("Nothing here", "There is no page at this address.")
	if err != nil {
		return commonMessages{}, err
	}
	wrongMethod, err := m.page("That does not work here", "This page cannot be asked for in this way.")
	return commonMessages{notFound: notFound, wrongMethod: wrongMethod}, err
}

// only lets requests with these methods through, and answers others with a page that says which.
func (m commonMessages) only(allow string, methods []string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, method := range methods {
			if r.Method == method {
				next(w, r)
				return
			}
		}
		w.Header().Set("Allow", allow)
		m.wrongMethod.send(w, r, http.StatusMethodNotAllowed)
	}
}

var readMethods = []string{http.MethodGet, http.MethodHead}
