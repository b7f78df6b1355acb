package http

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"net/http"
	"strings"
	"sync"
	"time"

	"swarm-scale/poll"
)

const (
	// cookieName is the voter's cookie, and secureCookieName that of a voter who came by https. Browsers do not let a page that came by
	// http write over a cookie of https, so it has another name. By its prefix they take it from this very host only.
	cookieName       = "voter"
	secureCookieName = "__Host-voter"
	// cookieLife is how long a browser keeps it.
	cookieLife = 365 * 24 * time.Hour
	// cookieVersion is the first byte. Another layout gets another version.
	cookieVersion = 1
	// bodySize is version, voter, choice and timestamp; the signature follows.
	bodySize   = 1 + 16 + 1 + 8
	cookieSize = bodySize + sha256.Size
)

// KeySize is the least size of a key that signs voters' cookies, in bytes.
const KeySize = 32

// Reasons why a request has no voter.
var (
	errNoCookie        = errors.New("no voter cookie")
	errForeignCookie   = errors.New("the voter cookie is not one of ours")
	errDuplicateCookie = errors.New("more than one voter cookie")
)

// cookieEncoding is strict, so that one cookie has one spelling.
var cookieEncoding = base64.RawURLEncoding.Strict()

// voterCard is what a voter's browser keeps in its cookie: who the voter is, the choice made, and when the voter voted last.
// So the vote page needs no database.
type voterCard struct {
	voter  poll.VoterID
	choice poll.Choice
	last   poll.Timestamp
}

// seal signs voters' cookies, so that one cannot be made by hand.
type seal struct {
	macs sync.Pool
}

// newSeal makes a seal of a secret key of at least KeySize bytes, the same wherever the vote page is served.
func newSeal(key []byte) (*seal, error) {
	if len(key) < KeySize {
		return nil, errors.New("the key that signs voters' cookies is too short: it must have 32 bytes or more")
	}
	return &seal{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}, nil
}

// sign appends the signature of body.
func (s *seal) sign(body []byte) []byte {
	mac := s.macs.Get().(hash.Hash)
	defer s.macs.Put(mac)
	mac.Reset()
	mac.Write(body)
	return mac.Sum(body)
}

// write is the cookie's value for a card.
func (s *seal) write(card voterCard) string {
	body := make([]byte, 0, cookieSize)
	body = append(body, cookieVersion)
	body = append(body, card.voter[:]...)
	body = append(body, byte(card.choice))
	body = binary.BigEndian.AppendUint64(body, uint64(card.last))
	return cookieEncoding.EncodeToString(s.sign(body))
}

// read returns the card in a cookie's value. A value that write did not make with the same key is errForeignCookie.
func (s *seal) read(value string) (voterCard, error) {
	if len(value) != cookieEncoding.EncodedLen(cookieSize) {
		return voterCard{}, errForeignCookie
	}
	data, err := cookieEncoding.DecodeString(value)
	if err != nil || len(data) != cookieSize || data[0] != cookieVersion {
		return voterCard{}, errForeignCookie
	}
	signed := s.sign(data[:bodySize:bodySize])
	if !hmac.Equal(signed[bodySize:], data[bodySize:]) {
		return voterCard{}, errForeignCookie
	}
	card := voterCard{
		voter:  poll.VoterID(data[1:17]),
		choice: poll.Choice(data[17]),
		last:   poll.Timestamp(binary.BigEndian.Uint64(data[18:bodySize])),
	}
	if card.voter.IsZero() || card.choice != poll.None && !card.choice.Valid() || card.last != 0 && !card.last.Valid() {
		return voterCard{}, errForeignCookie
	}
	return card, nil
}

// shiftLimit is by how much at most a voter's timestamps are shifted.
const shiftLimit = 24 * time.Hour

// shift is by how much a voter's timestamps are later than the clock. Only votes of the same voter are compared, so each voter may have a
// clock of his own. It is the same wherever the vote page is served, and unknown to whoever has not the key. So the timestamps in
// the database cannot be joined with a log that has times and addresses.
func (s *seal) shift(voter poll.VoterID) time.Duration {
	body := append([]byte("shift of the clock of "), voter[:]...) // no cookie begins so
	signed := s.sign(body)
	return time.Duration(binary.BigEndian.Uint64(signed[len(body):])%uint64(shiftLimit/time.Microsecond)) * time.Microsecond
}

// cardOf is the voter's card in a request. Two cookies of a name are an error, although one may be ours: who set the one that
// the browser sends first is unknown. The cookie of https counts before the other. Who has the other only, and comes by https now,
// stays the same voter.
func (s *seal) cardOf(r *http.Request) (voterCard, error) {
	cookies := r.CookiesNamed(secureCookieName)
	if len(cookies) == 0 {
		cookies = r.CookiesNamed(cookieName)
	}
	switch len(cookies) {
	case 0:
		return voterCard{}, errNoCookie
	case 1:
		return s.read(cookies[0].Value)
	}
	return voterCard{}, errDuplicateCookie
}

// setCard gives the card to the voter's browser. Scripts and other sites cannot read the cookie. It is Secure only if the voter
// came by https; the site itself is plain http. By https also a voter's cookie of http is replaced by a Secure one.
func (s *seal) setCard(w http.ResponseWriter, r *http.Request, card voterCard) {
	w.Header()["Set-Cookie"] = []string{voterCookie.with(r, s.write(card))}
}

// ownCookie is a cookie of ours for voters who came by http and for those who came by https, each with the name and the attributes that
// stand before and after its value. The value has no characters that need quoting.
type ownCookie struct{ plain, secure [2]string }

var (
	voterCookie  = newOwnCookie(cookieName, secureCookieName, cookieLife)
	ballotCookie = newOwnCookie(ballotCookieName, secureBallotCookieName, ballotLife)
)

// newOwnCookie makes a cookie that a browser keeps for so long.
func newOwnCookie(plain, secure string, life time.Duration) ownCookie {
	around := func(name string, secure bool) [2]string {
		empty := http.Cookie{Name: name, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure}
		return [2]string{name + "=", strings.TrimPrefix(empty.String(), name+"=")}
	}
	return ownCookie{around(plain, false), around(secure, true)}
}

// with returns the cookie with a value, as a line of the answer to a request.
func (c ownCookie) with(r *http.Request, value string) string {
	around := c.plain
	if byHTTPS(r) {
		around = c.secure
	}
	return around[0] + value + around[1]
}
