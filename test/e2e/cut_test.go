package e2e

import (
	"fmt"
	"strings"
	"time"

	"swarm-scale/lab"
)

// enginesRestarted restarts the engine of every host in turn, while voters vote. Its containers stop and start again with it.
func enginesRestarted(s *step) {
	s.ready()
	var lines []string
	for _, host := range s.lab.Hosts() {
		campaign := s.crowd()
		time.Sleep(time.Second)
		begun := time.Now()
		s.run(host, "service docker restart")
		took := time.Since(begun)
		well := s.await("the system to be well after the engine of "+host.Name+" restarted", wellTime, s.well)
		whole := campaign.Now().Since(begun)
		campaign.Stop()
		if s.kind.predicted(host.Role).voting {
			s.quiet("while the engine of "+host.Name+" restarted", whole.Silence)
		}
		lines = append(lines, fmt.Sprintf("%s: restarted in %.0f s, all well %.0f s later, longest without a good answer %.2f s", host.Name,
			took.Seconds(), well.Seconds(), whole.Silence.Seconds()))
		s.settle()
	}
	s.checked("%s", strings.Join(lines, "<br>"))
	s.unchanged()
}

// cutTime is how long a host is cut off.
const cutTime = time.Minute

// storeCutOff cuts the store off from all others for a minute, while voters vote. Votes wait in Redis meanwhile.
func storeCutOff(s *step) { s.hostCutOff("store") }

// frontendCutOff does so with a frontend. Its queue has votes that are not stored.
func frontendCutOff(s *step) { s.hostCutOff("frontend02") }

// hostCutOff cuts a host off from all others for a minute, while voters vote. A swarm misses it for so long that it starts the host's
// workloads anew when it is back. The former ones still run then.
func (s *step) hostCutOff(name string) {
	s.ready()
	host := s.lab.Host(name)
	want := s.kind.predicted(host.Role)
	campaign := s.crowd()
	time.Sleep(time.Second)
	begun := time.Now()
	s.cutOff(host)
	time.Sleep(time.Until(begun.Add(cutTime)))
	seen := campaign.Now().Since(begun)
	s.run(host, joinAgain)
	well := s.await("the system to be well after "+name+" was cut off", wellTime, s.well)
	whole := campaign.Now().Since(begun)
	campaign.Stop()
	if want.voting {
		s.quiet("while "+name+" was cut off and after", whole.Silence)
	}
	s.checked("%s cut off for %.0f s: %s; %s; all well by itself %.0f s after its return", name, cutTime.Seconds(), want.text, seen, well.Seconds())
	s.settle()
	// What a server notices of another one on its data, it notices within a minute.
	time.Sleep(time.Until(begun.Add(cutTime + well + time.Minute)))
	s.must(s.well())
	s.settle()
	s.unchanged()
}

// cutOff has a host get and send no packet. It still runs, and the lab reaches it.
func (s *step) cutOff(host *lab.Host) {
	s.Helper()
	s.run(host, "iptables -t raw -I PREROUTING -i eth0 -j DROP && iptables -t mangle -I POSTROUTING -o eth0 -j DROP")
}

// joinAgain ends cutOff.
const joinAgain = "iptables -t raw -D PREROUTING -i eth0 -j DROP; iptables -t mangle -D POSTROUTING -o eth0 -j DROP"
