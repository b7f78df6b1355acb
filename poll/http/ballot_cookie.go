package http

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"time"

	"swarm-scale/poll"
)

const (
	// ballotCookieName is the cookie that says when a voter got the ballot, and secureBallotCookieName that of a voter who came by
	// https. It is not in the page, because all voters get the same pages, and not in the voter's cookie: another layout of that would
	// make every voter a new one.
	ballotCookieName       = "ballot"
	secureBallotCookieName = "__Host-ballot"
	// ballotLife is how long a ballot can be used.
	ballotLife = 24 * time.Hour
	// ballotRenewal is the age from which the page comes with a new ballot. Until then its age grows.
	ballotRenewal = time.Hour
	ballotSize    = 8 + sha256.Size
)

// signBallot appends to a time the signature that a voter got a ballot then.
func (s *seal) signBallot(voter poll.VoterID, handedOut []byte) []byte {
	body := append([]byte("ballot of "), voter[:]...) // no cookie of a voter begins so
	body = append(body, handedOut...)
	signed := s.sign(body)
	return append(handedOut, signed[len(body):]...)
}

// writeBallot is the cookie's value for a ballot that the voter got at a time.
func (s *seal) writeBallot(voter poll.VoterID, at time.Time) string {
	return cookieEncoding.EncodeToString(s.signBallot(voter, binary.BigEndian.AppendUint64(make([]byte, 0, ballotSize), uint64(at.UnixMicro()))))
}

// readBallot returns when the voter got the ballot in a cookie's value, and whether it is one of ours for this voter.
func (s *seal) readBallot(voter poll.VoterID, value string) (time.Time, bool) {
	data, err := cookieEncoding.DecodeString(value)
	if err != nil || len(data) != ballotSize || !hmac.Equal(s.signBallot(voter, data[:8:8]), data) {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(data))), true
}

// ballotAge returns how long the voter has had the latest ballot in the request, and whether there is one. Cookies that are none of ours
// are passed over: another site of the same domain may have set them.
func (a *VoteApp) ballotAge(r *http.Request, voter poll.VoterID) (age time.Duration, ok bool) {
	for _, cookie := range r.Cookies() {
		if cookie.Name != ballotCookieName && cookie.Name != secureBallotCookieName {
			continue
		}
		handedOut, ours := a.seal.readBallot(voter, cookie.Value)
		if !ours {
			continue
		}
		if own := a.options.Now().Sub(handedOut); !ok || own < age {
			age, ok = own, true
		}
	}
	return age, ok
}

// handOut gives the voter a ballot that is so old already.
func (a *VoteApp) handOut(w http.ResponseWriter, r *http.Request, voter poll.VoterID, age time.Duration) {
	if a.options.BallotAge <= 0 {
		return
	}
	header := w.Header()
	header["Set-Cookie"] = append(header["Set-Cookie"], ballotCookie.with(r, a.seal.writeBallot(voter, a.options.Now().Add(-age))))
}

// renew gives the voter a ballot unless the request has a recent one. Whoever has waited with an older one, which counts still, need not
// wait again.
func (a *VoteApp) renew(w http.ResponseWriter, r *http.Request, voter poll.VoterID) {
	if a.options.BallotAge <= 0 {
		return
	}
	age, ok := a.ballotAge(r, voter)
	switch {
	case !ok || age > ballotLife:
		a.handOut(w, r, voter, 0)
	case age >= max(ballotRenewal, a.options.BallotAge):
		a.handOut(w, r, voter, a.options.BallotAge)
	}
}

// checkBallot says what is wrong with the voter's ballot, and hands out another one where that helps.
//
// A ballot from the future was handed out by a frontend whose clock is ahead. The voter may have had it long enough, so it is taken.
func (a *VoteApp) checkBallot(w http.ResponseWriter, r *http.Request, voter poll.VoterID) notice {
	if a.options.BallotAge <= 0 {
		return noticeNone
	}
	age, ok := a.ballotAge(r, voter)
	switch {
	case !ok || age > ballotLife:
		a.handOut(w, r, voter, 0)
		return noticeStaleBallot
	case age.Abs() < a.options.BallotAge:
		return noticeTooEarly
	}
	return noticeNone
}
