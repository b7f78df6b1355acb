package lab

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Status writes a table of the hosts: address, state, and the containers on their own engines.
func (l *Lab) Status(ctx context.Context, output io.Writer) error {
	if l.fault != nil {
		return l.fault
	}
	list, err := l.docker.run(ctx, "container", "ls", "--all", "--format", "{{.Names}}\t{{.Status}}",
		"--filter", "label="+folderLabel+"="+l.folder)
	if err != nil {
		return err
	}
	states := map[string]string{}
	for line := range strings.Lines(list) {
		name, state, _ := strings.Cut(strings.TrimSpace(line), "\t")
		states[name] = state
	}
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "HOST\tADDRESS\tSTATE\tCONTAINERS")
	for _, host := range l.hosts {
		state, containers := states[host.Container()], ""
		switch {
		case state == "":
			state = "not there"
		case strings.HasPrefix(state, "Up") && !strings.Contains(state, "Paused"):
			if containers, err = host.Docker(ctx, "ps", "--all", "--format", "{{.Names}} ({{.Status}})"); err != nil {
				containers = "its engine does not answer"
			}
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", host.Name, host.Address, state, strings.Join(strings.Split(containers, "\n"), ", "))
	}
	return table.Flush()
}
