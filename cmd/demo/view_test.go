package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/test/harness"
)

// metadata is what the engine tells of a step on a resource of a component.
func metadata(component, kind, name string) apitype.StepEventMetadata {
	parent := "urn:pulumi:dev::swarm-scale::swarm-scale:infra:Machines::" + component
	if component == "" {
		parent = "urn:pulumi:dev::swarm-scale::pulumi:pulumi:Stack::swarm-scale-dev"
	}
	return apitype.StepEventMetadata{
		Op: apitype.OpCreate, Type: kind, URN: "urn:pulumi:dev::swarm-scale::" + kind + "::" + name,
		New: &apitype.StepEventStateMetadata{Custom: true, Parent: parent},
	}
}

func started(m apitype.StepEventMetadata) events.EngineEvent {
	return events.EngineEvent{EngineEvent: apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: m}}}
}

func finished(m apitype.StepEventMetadata) events.EngineEvent {
	return events.EngineEvent{EngineEvent: apitype.EngineEvent{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: m}}}
}

func broken(m apitype.StepEventMetadata) events.EngineEvent {
	return events.EngineEvent{EngineEvent: apitype.EngineEvent{ResOpFailedEvent: &apitype.ResOpFailedEvent{Metadata: m}}}
}

func TestViewOfAnOperation(t *testing.T) {
	var output bytes.Buffer
	v := newView(&output)
	v.begin(1, 2, "Up", false)
	instance, group := "aws:ec2/instance:Instance", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	for _, name := range []string{"store", "manager", "interlock", "frontend01", "frontend02", "worker01"} {
		v.event(started(metadata("machines", instance, name)))
		v.event(finished(metadata("machines", instance, name)))
	}
	v.event(finished(metadata("machines", group, "allow-overlay-control-tcp")))
	v.event(finished(metadata("", "pulumi:providers:aws", "aws")))
	v.event(started(metadata("swarm", "docker:index/network:Network", "mynet")))

	want := []string{
		"  ├─ stack",
		"  │  └─ ✓ aws provider                   1/1   aws",
		"  ├─ machines",
		"  │  ├─ ✓ ec2 Instance                   6/6   frontend01 frontend02 interlock …",
		"  │  └─ ✓ vpc SecurityGroupIngressRule   1/1   allow-overlay-control-tcp",
		"  └─ swarm",
		"     └─ ● docker Network                 0/1   mynet",
	}
	if got := v.tree(80, 0); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if short := v.tree(80, 6); len(short) != 3 || !strings.Contains(short[1], "machines") || !strings.Contains(short[1], "7/7") {
		t.Errorf("in six lines it is\n%s", strings.Join(short, "\n"))
	}

	v.event(broken(metadata("swarm", "docker:index/network:Network", "mynet")))
	v.end(&harness.Result{Counts: map[apitype.OpType]int{apitype.OpCreate: 8}, Wall: 1500 * time.Millisecond}, errors.New("x"), summary)
	text := output.String()
	for _, part := range []string{"1/2 Up", "create   ec2 Instance", "FAILED   docker Network", "✗ docker Network", "✗ 8 created in 1.5 s"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("escape sequences where there is no terminal")
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestViewKnowsWhatIsToCome(t *testing.T) {
	v := newView(&bytes.Buffer{})
	v.begin(1, 2, "Preview", false)
	for _, name := range []string{"a", "b"} {
		v.event(finished(metadata("machines", "aws:ec2/vpc:Vpc", name)))
	}
	v.end(&harness.Result{}, nil, planned)
	v.begin(2, 2, "Up", true)
	v.event(finished(metadata("machines", "aws:ec2/vpc:Vpc", "a")))
	if got, want := v.tree(80, 0)[1], "     └─ · ec2 Vpc                        1/2   a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestViewOfAPlan(t *testing.T) {
	var output bytes.Buffer
	newView(&output).changes(&harness.Result{Steps: []harness.Step{
		{Op: apitype.OpSame, Type: "aws:ec2/vpc:Vpc", Name: "vpc"},
		{Op: apitype.OpCreate, Type: "docker:index/container:Container", Name: "redis03"},
		{Op: apitype.OpCreate, Type: "docker:index/container:Container", Name: "frontend03"},
		{Op: apitype.OpCreate, Type: "aws:ec2/instance:Instance", Name: "frontend03"},
		{Op: apitype.OpReplace, Type: "docker:index/container:Container", Name: "worker01"},
	}})
	want := "    create   docker Container             frontend03 redis03\n" +
		"             ec2 Instance                 frontend03\n" +
		"    replace  docker Container             worker01\n"
	if got := output.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOutputsHideSecrets(t *testing.T) {
	var output bytes.Buffer
	newView(&output).outputs(auto.OutputMap{
		"statisticsUrl": {Value: "http://stats:interlock@host", Secret: true},
		"nodes":         {Value: map[string]any{"store": map[string]any{"address": "192.168.33.250"}}},
		"lines":         {Value: []any{"one", "two"}},
	})
	text := output.String()
	if strings.Contains(text, "interlock") || !strings.Contains(text, "statisticsUrl: [secret]") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	for _, part := range []string{"      store        192.168.33.250", "      one"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func TestWords(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{kindName("aws:ec2/instance:Instance"), "ec2 Instance"},
		{kindName("docker:index/remoteImage:RemoteImage"), "docker RemoteImage"},
		{kindName("command:remote:Command"), "remote Command"},
		{kindName("pulumi:providers:docker"), "docker provider"},
		{nameOf("urn:pulumi:dev::p::t::name"), "name"},
		{shorten("abcdef", 4), "abc…"},
		{shorten("abc", 4), "abc"},
		{shorten("abc", 0), ""},
		{seconds(25 * time.Millisecond), "25 ms"},
		{seconds(2340 * time.Millisecond), "2.3 s"},
		{minutes(45 * time.Second), "45 s"},
		{minutes(194 * time.Second), "3 min 14 s"},
		{counts(map[apitype.OpType]int{apitype.OpCreate: 2, apitype.OpSame: 1}, false), "2 created, 1 unchanged"},
		{counts(map[apitype.OpType]int{apitype.OpReplace: 2}, true), "2 to replace"},
		{counts(nil, false), "nothing to do"},
		{verb(apitype.OpCreateReplacement), "replace"},
		{strings.Join(wrap("aa bb cc", 5), "|"), "aa bb|cc"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
