package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"swarm-scale/poll/environment"
)

// Program is what one of the programs consists of. S is its settings.
type Program[S any] struct {
	Name string
	// Does says what the program does when it is run without arguments, for the usage.
	Does string
	// Read reads the settings. Their faults stay in the reader.
	Read func(*environment.Reader) S
	// Container is the name of the container with these settings. Every line of the log has it.
	Container func(S) string
	// Serve works with the settings until ctx is done.
	Serve func(ctx context.Context, settings S, log *slog.Logger) error
	// Health is the page that `healthcheck` asks for.
	Health Page
	// Commands are the program's own subcommands, besides `healthcheck`.
	Commands []Command
}

// Page is a page of the running program.
type Page struct {
	Variable string // the environment variable with the address that the program listens on
	Standard string // the address if the variable is not set
	Path     string // "/healthz"
}

// Command is a subcommand.
type Command struct {
	Usage string // its name and then its arguments: "drain [--timeout 5m] ADDRESS ..."
	Does  string // what it does, for the usage
	Run   func(context.Context, Call) int
}

// Call is one call of a subcommand.
type Call struct {
	Arguments      []string // those after the subcommand's name
	Environment    *environment.Reader
	Stdout, Stderr io.Writer
}

// Main runs the program with the process's arguments, environment and output, and exits. SIGTERM (docker stop) and SIGINT
// (Ctrl-C) stop it gracefully; a second signal ends it at once.
func (p Program[S]) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	code := p.Run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run runs the program and returns the exit code.
func (p Program[S]) Run(ctx context.Context, arguments []string, lookup func(string) string, stdout, stderr io.Writer) int {
	env := environment.NewReader(lookup)
	if len(arguments) == 0 {
		return p.serve(ctx, env, stderr)
	}
	for _, command := range p.commands() {
		if name, _, _ := strings.Cut(command.Usage, " "); name == arguments[0] {
			return command.Run(ctx, Call{Arguments: arguments[1:], Environment: env, Stdout: stdout, Stderr: stderr})
		}
	}
	return p.unknown(arguments, stderr)
}

// serve does the program's work from its settings to its end.
func (p Program[S]) serve(ctx context.Context, env *environment.Reader, stderr io.Writer) int {
	settings := p.Read(env)
	if err := env.Err(); err != nil {
		return SettingsFault(stderr, p.Name, err)
	}
	log := Log(stderr, p.Name).With("container", p.Container(settings))
	if err := p.Serve(ctx, settings, log); err != nil {
		log.Error("stopped by a failure", "error", err.Error())
		return ExitFailure
	}
	log.Info("stopped")
	return ExitOK
}

func (p Program[S]) commands() []Command {
	return append(p.Commands, Command{
		Usage: "healthcheck [PAGE]",
		Does:  "exit 0 if the program that runs on this machine is healthy, or answers 200 for the page; for a container's HEALTHCHECK",
		Run: func(_ context.Context, call Call) int {
			page := p.Health.Path
			switch {
			case len(call.Arguments) == 1 && strings.HasPrefix(call.Arguments[0], "/"):
				page = call.Arguments[0]
			case len(call.Arguments) > 0:
				return p.unknown(append([]string{"healthcheck"}, call.Arguments...), call.Stderr)
			}
			address := call.Environment.Listen(p.Health.Variable, p.Health.Standard)
			if err := call.Environment.Err(); err != nil {
				return SettingsFault(call.Stderr, p.Name, err)
			}
			return Healthcheck(call.Stdout, address, page)
		},
	})
}

// unknown says that the program does not know the arguments, and which it knows.
func (p Program[S]) unknown(arguments []string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s does not know %q. Use one of:\n", p.Name, arguments)
	table := tabwriter.NewWriter(stderr, 0, 0, 3, ' ', 0)
	fmt.Fprintf(table, "  %s\t%s\n", p.Name, p.Does)
	for _, command := range p.commands() {
		fmt.Fprintf(table, "  %s %s\t%s\n", p.Name, command.Usage, command.Does)
	}
	_ = table.Flush() // to standard error; there is nowhere else to report
	return ExitSettings
}
