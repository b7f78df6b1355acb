package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"swarm-scale/poll/environment"
	"swarm-scale/poll/service"
)

func TestProgramRun(t *testing.T) {
	program := service.Program[int]{
		Name:      "counter",
		Does:      "count",
		Read:      func(env *environment.Reader) int { return env.Number("COUNT", 1, 1, 9) },
		Container: func(count int) string { return fmt.Sprintf("counter%02d", count) },
		Serve: func(_ context.Context, count int, log *slog.Logger) error {
			log.Info("counting")
			if count == 9 {
				return errors.New("no number is left")
			}
			return nil
		},
		Health: service.Page{Variable: "LISTEN_ADDRESS", Standard: ":1", Path: "/healthz"},
		Commands: []service.Command{{Usage: "add NUMBER", Does: "add", Run: func(_ context.Context, call service.Call) int {
			fmt.Fprint(call.Stdout, call.Arguments, call.Environment.Number("COUNT", 1, 1, 9))
			return 7
		}}},
	}
	for name, test := range map[string]struct {
		arguments []string
		count     string
		code      int
		stdout    string
		stderr    []string
	}{
		"served":                 {nil, "3", service.ExitOK, "", []string{`"msg":"counting","program":"counter","container":"counter03"`, "stopped"}},
		"failed":                 {nil, "9", service.ExitFailure, "", []string{"no number is left"}},
		"wrong settings":         {nil, "x", service.ExitSettings, "", []string{"counter cannot start", `COUNT is "x"`}},
		"subcommand":             {[]string{"add", "2"}, "5", 7, "[2] 5", nil},
		"unknown":                {[]string{"dance"}, "", service.ExitSettings, "", []string{`counter does not know ["dance"]`, "counter add NUMBER", "counter healthcheck"}},
		"healthcheck, arguments": {[]string{"healthcheck", "x"}, "", service.ExitSettings, "", []string{`does not know ["healthcheck" "x"]`}},
	} {
		var stdout, stderr bytes.Buffer
		lookup := func(key string) string { return map[string]string{"COUNT": test.count}[key] }
		code := program.Run(t.Context(), test.arguments, lookup, &stdout, &stderr)
		if code != test.code || stdout.String() != test.stdout {
			t.Errorf("%s: %d %q, want %d %q", name, code, stdout.String(), test.code, test.stdout)
		}
		for _, want := range test.stderr {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%s: standard error lacks %q:\n%s", name, want, stderr.String())
			}
		}
	}
}

func TestProgramHealthcheckAsksWhereTheProgramListens(t *testing.T) {
	program := service.Program[int]{Name: "counter", Health: service.Page{Variable: "LISTEN_ADDRESS", Standard: ":1", Path: "/healthz"}}
	for listen, want := range map[string]int{address(t): service.ExitFailure, "nonsense": service.ExitSettings} {
		var stdout, stderr bytes.Buffer
		lookup := func(key string) string { return map[string]string{"LISTEN_ADDRESS": listen}[key] }
		if code := program.Run(t.Context(), []string{"healthcheck"}, lookup, &stdout, &stderr); code != want ||
			!strings.Contains(stdout.String()+stderr.String(), listen) {
			t.Errorf("%s: %d %s%s, want %d", listen, code, stdout.String(), stderr.String(), want)
		}
	}
}
