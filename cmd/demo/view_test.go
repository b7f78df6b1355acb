package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/test/harness"
)

// metadata is what the Pulumi engine tells of a step on a provider's resource.
func metadata(op apitype.OpType, kind, name string) apitype.StepEventMetadata {
	return apitype.StepEventMetadata{
		Op: op, Type: kind, URN: "urn:pulumi:dev::swarm-scale::" + kind + "::" + name,
		New: &apitype.StepEventStateMetadata{Custom: true},
	}
}

func finished(m apitype.StepEventMetadata) events.EngineEvent {
	return events.EngineEvent{EngineEvent: apitype.EngineEvent{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: m}}}
}

func failed(m apitype.StepEventMetadata) events.EngineEvent {
	return events.EngineEvent{EngineEvent: apitype.EngineEvent{ResOpFailedEvent: &apitype.ResOpFailedEvent{Metadata: m}}}
}

func TestOperationHasALineForEachChange(t *testing.T) {
	var output bytes.Buffer
	v := newView(&output)
	v.begin("Up", false)
	component := metadata(apitype.OpCreate, "swarm-scale:infra:Machines", "machines")
	component.New.Custom = false
	deleted := metadata(apitype.OpDelete, "docker:index/container:Container", "redis01")
	deleted.Old, deleted.New = deleted.New, nil
	for _, event := range []events.EngineEvent{
		finished(metadata(apitype.OpCreate, "aws:ec2/instance:Instance", "store")),
		finished(metadata(apitype.OpSame, "aws:ec2/vpc:Vpc", "vpc")),
		finished(component),
		finished(deleted),
		failed(metadata(apitype.OpCreate, "docker:index/network:Network", "mynet")),
	} {
		v.event(event)
	}
	v.end(&harness.Result{Counts: map[apitype.OpType]int{apitype.OpCreate: 1, apitype.OpSame: 1}, Wall: 1500 * time.Millisecond}, errors.New("x"))
	want := `
Up

   0.0 s  create    ec2 Instance                   store
   0.0 s  delete    docker Container               redis01
   0.0 s  FAILED    docker Network                 mynet
  ✗ create 1, unchanged 1 in 1.5 s
`
	if got := output.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTableGroupsByOperationAndType(t *testing.T) {
	var output bytes.Buffer
	v := newView(&output)
	v.begin("Preview", true)
	v.event(finished(metadata(apitype.OpCreate, "aws:ec2/instance:Instance", "frontend03")))
	v.end(&harness.Result{Counts: map[apitype.OpType]int{apitype.OpCreate: 3, apitype.OpReplace: 1}, Steps: []harness.Step{
		{Op: apitype.OpReplace, Type: "docker:index/container:Container", Name: "worker01"},
		{Op: apitype.OpSame, Type: "aws:ec2/vpc:Vpc", Name: "vpc"},
		{Op: apitype.OpCreate, Type: "docker:index/container:Container", Name: "redis03"},
		{Op: apitype.OpCreate, Type: "docker:index/container:Container", Name: "frontend03"},
		{Op: apitype.OpCreateReplacement, Type: "docker:index/container:Container", Name: "worker01"},
		{Op: apitype.OpCreate, Type: "aws:ec2/instance:Instance", Name: "frontend03"},
		{Op: apitype.OpCreate, Type: "aws:ec2/instance:Instance", Name: "frontend03"},
	}}, nil)
	want := `
Preview

  create     2  docker Container               frontend03 redis03
  create     1  ec2 Instance                   frontend03
  replace    1  docker Container               worker01
  ✓ create 3, replace 1 in 0.0 s
`
	if got := output.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOutputsHideSecrets(t *testing.T) {
	var output bytes.Buffer
	if err := newView(&output).outputs(auto.OutputMap{
		"statisticsUrl": {Value: "http://stats:interlock@host", Secret: true},
		"nodes":         {Value: map[string]any{"store": map[string]any{"address": "192.168.33.250"}}},
		"lines":         {Value: []any{"one", "two"}},
	}); err != nil {
		t.Fatal(err)
	}
	text := output.String()
	if strings.Contains(text, "interlock") || !strings.Contains(text, "statisticsUrl: (secret)") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	for _, part := range []string{"            address: 192.168.33.250\n", "        - one\n"} {
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
		{shorten("abcdef", 4), "abc…"},
		{shorten("abcd", 4), "abcd"},
		{seconds(2340 * time.Millisecond), "2.3 s"},
		{minutes(45 * time.Second), "0 min 45 s"},
		{minutes(194 * time.Second), "3 min 14 s"},
		{counts(map[apitype.OpType]int{apitype.OpSame: 1, apitype.OpCreate: 2}), "create 2, unchanged 1"},
		{verb(apitype.OpCreateReplacement), "replace"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
