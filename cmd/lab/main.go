// Command lab makes six machines on one that has Docker, and deploys the stack of Pulumi.lab.yaml on them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"swarm-scale/lab"
	"swarm-scale/lab/mirror"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

const usage = `Makes six machines on one that has Docker, and deploys the stack of Pulumi.lab.yaml on them.

Usage: go run ./cmd/lab COMMAND [flags]

  up       make the machines; --frontends and --workers set how many, the variable ZONES over how many zones
  status   list the machines
  deploy   run pulumi up; --frontends and --workers use fewer machines than there are
  destroy  run pulumi destroy
  cut      cut a zone off from the others: cut 2
  join     end that: join 2
  down     remove everything
  mirror   serve a folder of images to the machines (up starts it)
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		for line := range strings.Lines(err.Error()) {
			fmt.Fprint(os.Stderr, "lab: ", line)
		}
		fmt.Fprintln(os.Stderr)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, output io.Writer) error {
	if len(arguments) == 0 {
		return flag.ErrHelp
	}
	counts := topology.Counts{}
	var images, listen string
	set := flag.NewFlagSet("lab "+arguments[0], flag.ContinueOnError)
	switch arguments[0] {
	case "up", "deploy":
		for role, key := range settings.CountKeys() {
			set.Func(key, "`number` of "+key+" (default: as many as last time)", func(text string) error {
				count, err := strconv.Atoi(text)
				if err == nil && count > 0 { // make passes 0 for the default
					counts[role] = count
				}
				return err
			})
		}
	case "mirror":
		set.StringVar(&images, "images", "/images", "`folder` of the images, an OCI image layout")
		set.StringVar(&listen, "listen", ":5000", "`address` and port to serve at")
	}
	operands := 0
	if arguments[0] == "cut" || arguments[0] == "join" {
		operands = 1
	}
	if err := set.Parse(arguments[1:]); err != nil || set.NArg() != operands {
		return flag.ErrHelp
	}
	switch arguments[0] {
	case "up":
		return lab.New(lab.Options{Counts: counts, Log: output}).Up(ctx)
	case "down":
		return lab.New(lab.Options{Log: output}).Down(ctx)
	case "status":
		return lab.New(lab.Options{}).Status(ctx, output)
	case "cut", "join":
		zone, err := strconv.Atoi(set.Arg(0))
		if err != nil {
			return flag.ErrHelp
		}
		if arguments[0] == "cut" {
			return lab.New(lab.Options{}).Cut(ctx, zone)
		}
		return lab.New(lab.Options{}).Join(ctx, zone)
	case "deploy", "destroy":
		stack, err := lab.NewStack(lab.New(lab.Options{Log: output}), output)
		if err != nil {
			return err
		}
		if arguments[0] == "destroy" {
			return stack.Destroy(ctx)
		}
		return stack.Deploy(ctx, counts)
	case "mirror":
		return serve(ctx, images, listen)
	default:
		return flag.ErrHelp
	}
}

// serve runs the registry mirror until the context ends.
func serve(ctx context.Context, images, listen string) error {
	handler, err := mirror.New(images)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
