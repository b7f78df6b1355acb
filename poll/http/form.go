package http

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"swarm-scale/poll"
)

const (
	// maxBody is how many bytes a vote's form may have; ours has 6.
	maxBody = 1 << 10
	// formType is the type that browsers give a form.
	formType = "application/x-www-form-urlencoded"
)

// readForm reads the one field of the vote's form.
func readForm(w http.ResponseWriter, r *http.Request) (poll.Choice, notice) {
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // so that the server does not read all of it
		return poll.None, noticeTooLarge
	}
	if !isForm(r.Header.Get("Content-Type")) {
		return poll.None, noticeWrongType
	}
	if r.ContentLength == int64(len("vote=a")) {
		return readShortForm(r)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return poll.None, noticeTooLarge
		}
		return poll.None, noticeUnreadableForm
	}
	votes := r.PostForm["vote"]
	if len(votes) != 1 {
		return poll.None, noticeUnreadableForm
	}
	return choiceOf(votes[0])
}

func isForm(contentType string) bool {
	if contentType == formType {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == formType
}

// readShortForm reads a form of the length that ours has without ParseForm, which costs more: "vote=", and a character that
// needs no decoding.
func readShortForm(r *http.Request) (poll.Choice, notice) {
	body := make([]byte, len("vote=a"))
	if _, err := io.ReadFull(r.Body, body); err != nil || string(body[:len("vote=")]) != "vote=" {
		return poll.None, noticeUnreadableForm
	}
	return choiceOf(string(body[len("vote="):]))
}

func choiceOf(id string) (poll.Choice, notice) {
	choice, err := poll.ParseChoice(id)
	if err != nil {
		return poll.None, noticeUnknownOption
	}
	return choice, noticeNone
}
