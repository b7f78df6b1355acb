package http

import (
	"fmt"
	"net/http"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"swarm-scale/poll"
)

// notice is what the vote page says above the ballot.
type notice int

const (
	noticeNone notice = iota
	noticeThanks
	noticeNoCookie
	noticeDuplicateCookie
	noticeUnknownOption
	noticeUnreadableForm
	noticeTooLarge
	noticeWrongType
	noticeCrossSite
	noticeQueueDown
	noticeBusy
	noticeHungUp
	noticeTooEarly
	noticeStaleBallot
	noticeCount
)

// asksAgain reports whether the notice names the choice that the voter is asked to make again.
func (n notice) asksAgain() bool { return n == noticeTooEarly || n == noticeStaleBallot }

// sentence is the notice in words, its HTTP status, and the reason by which metrics count the vote as refused.
func (n notice) sentence() (text string, status int, reason string) {
	switch n {
	case noticeThanks:
		return "", http.StatusOK, "" // the sentence depends on the choice
	case noticeNoCookie:
		return "Your vote was not counted yet: your browser had not told us who is voting. It can now. Please choose " +
			"again; if this comes back, allow cookies for this site.", http.StatusConflict, "no_voter"
	case noticeDuplicateCookie:
		return "Your vote was not counted: your browser says that it is two voters. Delete this site's cookies, load " +
			"this page again and choose.", http.StatusBadRequest, "duplicate_voter"
	case noticeUnknownOption:
		return "Your vote was not counted: it was not for one of the two options. Please choose one of them.",
			http.StatusBadRequest, "unknown_option"
	case noticeUnreadableForm:
		return "Your vote was not counted: what arrived could not be read. Please choose again.",
			http.StatusBadRequest, "unreadable"
	case noticeTooLarge:
		return "Your vote was not counted: far more arrived than a vote. Please choose again.",
			http.StatusRequestEntityTooLarge, "too_large"
	case noticeWrongType:
		return "Your vote was not counted: it did not arrive as a form. Please choose again.",
			http.StatusUnsupportedMediaType, "wrong_type"
	case noticeCrossSite:
		return "Your vote was not counted: it came from another site. Please choose here.",
			http.StatusForbidden, "cross_site"
	case noticeQueueDown:
		return "Sorry, we cannot take votes at this moment: yours may be lost. Please choose again in a few seconds; you " +
			"will still be counted only once.", http.StatusServiceUnavailable, "queue_unavailable"
	case noticeHungUp:
		return "Sorry, your vote was not counted: your browser had hung up before we came to it. Please choose again.",
			http.StatusServiceUnavailable, "hung_up"
	case noticeTooEarly:
		return "Your vote was not counted yet: it came sooner than anybody can read a ballot.", http.StatusConflict, "too_early"
	case noticeStaleBallot:
		return "Your vote was not counted yet: your ballot was more than a day old, or your browser did not send it. This is a fresh " +
			"one. If this comes back, allow cookies for this site.", http.StatusConflict, "stale_ballot"
	case noticeBusy:
		return "Sorry, there are too many voters at this moment, and your vote was not counted. Please choose again in " +
			"a few seconds.", http.StatusServiceUnavailable, "busy"
	}
	return "", http.StatusOK, ""
}

// ballotPage is the vote page for a voter in this state.
func ballotPage(options VoteOptions, state ballotState, style string) g.Node {
	ballot := options.Ballot
	question := question(ballot.Label(poll.A), ballot.Label(poll.B))
	return layout(frame{
		title:  question,
		kicker: "The vote",
		style:  style,
		foot:   answeredBy(options.Container),
		main: g.Group{
			h.H1(g.Text(question)), newline,
			h.P(h.Class("lead"), g.Text("You have one vote. Change it as often as you like: your latest choice counts.")), newline,
			noticeBox(ballot, state), newline,
			h.Form(h.Class("ballot"), h.Method("post"), h.Action("/"), newline,
				h.FieldSet(newline,
					h.Legend(h.Class("unseen"), g.Text("Your choice")), newline,
					optionButton(ballot, poll.A, state), newline,
					optionButton(ballot, poll.B, state), newline,
				), newline,
			),
		},
	})
}

// noticeBox is what is said above the ballot, or nothing.
func noticeBox(ballot poll.Ballot, page ballotState) g.Node {
	text, status, _ := page.notice.sentence()
	if page.notice == noticeThanks {
		text = fmt.Sprintf("Thank you! Your vote for %s is in.", inSentence(ballot.Label(page.choice)))
	}
	if page.notice.asksAgain() {
		text += fmt.Sprintf(" Please choose %s again.", inSentence(ballot.Label(page.wanted)))
	}
	if text == "" {
		return nil
	}
	class, role := "notice", "status"
	if status >= http.StatusBadRequest {
		class, role = "notice bad", "alert"
	}
	return h.Div(h.Class(class), h.Role(role), h.P(g.Text(text)))
}

// optionButton is one option, to be pressed.
func optionButton(ballot poll.Ballot, option poll.Choice, page ballotState) g.Node {
	state, chosen := "Vote", page.choice
	switch {
	case option == chosen:
		state = "✓ Your choice"
	case chosen != poll.None:
		state = "Change to this"
	}
	return h.Button(h.Class("option "+option.String()), h.Type("submit"), h.Name("vote"), h.Value(option.String()),
		h.Aria("pressed", strconv.FormatBool(option == chosen)),
		g.If(option == page.wanted, h.AutoFocus()), // the Enter key alone repeats the choice
		h.Span(h.Class("label"), h.Dir("auto"), g.Text(ballot.Label(option))),
		h.Span(h.Class("state"), g.Text(state)))
}
