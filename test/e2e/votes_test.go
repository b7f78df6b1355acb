package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"swarm-scale/settings"
)

// voting has 300 voters vote, some of them twice, and compares the results with their books.
func voting(s *step) {
	s.ready()
	s.vote(300)
	s.statistics()
}

// vote has voters vote through the load balancer, and checks that every frontend answers some and that every vote is counted.
func (s *step) vote(voters int) {
	s.Helper()
	begun := time.Now()
	seen := s.voters.Vote(s.ctx, voters)
	if seen.Bad > 0 {
		s.Errorf("votes were refused: %s", seen)
	}
	for _, frontend := range s.frontends() {
		if seen.Containers[frontend] == 0 {
			s.Errorf("%s answered nobody: %v", frontend, seen.Containers)
		}
	}
	s.checked("%d visits through %s, 3 of 10 to change a vote, in %.1f s: answered by %v", voters, s.balancer, time.Since(begun).Seconds(), seen.Containers)
	s.settle()
	tally := s.tally()
	if tally.A == 0 || tally.B == 0 {
		s.Errorf("the voters chose %d to %d, which proves nothing about one option", tally.A, tally.B)
	}
	page, err := s.page(s.results().URL+"/", "", nil)
	s.must(err)
	page = strings.ReplaceAll(page, ",", "") // of thousands
	for _, count := range []int64{tally.A, tally.B} {
		if !strings.Contains(page, fmt.Sprintf("%d vote", count)) {
			s.Errorf("the results page does not show %d votes", count)
		}
	}
}

// statistics checks the load balancer's statistics page.
func (s *step) statistics() {
	s.Helper()
	raw, _ := s.outputs["statisticsUrl"].Value.(string)
	address, err := url.Parse(raw)
	if err != nil || address.User == nil {
		s.Fatalf("the output statisticsUrl is %q (%v), want a URL with a login", raw, err)
	}
	login := address.User
	address.User, address.Host = nil, s.lab.Host("interlock").Address
	var page string
	s.await("the statistics page", 20*time.Second, func() error {
		var err error
		page, err = s.page(address.String(), settings.VoteHost, login)
		return err
	})
	if !strings.Contains(page, "Statistics Report") {
		s.Errorf("the statistics page has no statistics:\n%.300s", page)
	}
	if _, err := s.page(address.String(), settings.VoteHost, nil); err == nil || !strings.Contains(err.Error(), "401") {
		s.Errorf("the statistics page without its password: %v, want 401", err)
	}
	s.checked("the statistics page answers, and asks for its password")
}

// page gets a page. The site is the host name to ask for, if it is not the address.
func (s *step) page(address, site string, login *url.Userinfo) (string, error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	request.Host = site
	if login != nil {
		password, _ := login.Password()
		request.SetBasicAuth(login.Username(), password)
	}
	dialer := &net.Dialer{Resolver: s.names.Resolver()}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers with %s", address, response.Status)
	}
	return string(body), err
}

// interlock replaces HAProxy by the walk-through's load balancer, votes through it, and goes back.
func interlock(s *step) {
	s.ready()
	for _, balancer := range []string{"interlock", "haproxy"} {
		s.must(s.pulumi.Set(map[string]any{"loadBalancer": balancer, "allowInterlock": balancer == "interlock"}))
		result, err := s.pulumi.Up(s.ctx)
		if err != nil {
			s.must(s.pulumi.Set(map[string]any{"loadBalancer": s.balancer})) // for the steps to come
			s.Fatalf("from %s to %s: %v", s.balancer, balancer, err)
		}
		s.balancer = balancer
		s.outputs, err = s.pulumi.Outputs(s.ctx)
		s.must(err)
		s.checked("loadBalancer %s: `up` takes %.0f s", balancer, result.Wall.Seconds())
		s.await("every frontend to answer through "+balancer, wellTime, s.well)
		if balancer == "interlock" {
			s.vote(200)
			s.statistics()
			s.unchanged()
		}
	}
}
