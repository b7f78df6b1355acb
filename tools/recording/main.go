// Command recording runs a command in a terminal of its own and draws what it shows as an animated SVG.
//
//	recording -output demo.svg COMMAND ARGUMENT…
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

func main() {
	output := flag.String("output", "recording.svg", "the SVG's `file`")
	columns := flag.Int("columns", 96, "`width` of the terminal")
	rows := flag.Int("rows", 26, "`height` of the terminal")
	interval := flag.Duration("interval", 500*time.Millisecond, "`time` between two looks at the terminal")
	pause := flag.Duration("pause", 2*time.Second, "longest `time` that the same frame is shown, but for the last")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "recording: name the command to run")
		os.Exit(2)
	}
	if err := run(*output, *columns, *rows, *interval, *pause, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func run(output string, columns, rows int, interval, pause time.Duration, command []string) (err error) {
	frames, err := record(columns, rows, interval, command)
	if err != nil {
		return err
	}
	for i := range frames {
		frames[i].shown = min(frames[i].shown, pause)
	}
	frames[len(frames)-1].shown = 3 * pause
	file, err := os.Create(output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriter(file)
	drawing{columns: columns, rows: rows, frames: frames}.write(buffer)
	return buffer.Flush()
}

// frame is what the terminal showed for some time.
type frame struct {
	lines []line
	shown time.Duration
}

// record runs a command to its end and returns at least one frame. A command that fails is an error.
func record(columns, rows int, interval time.Duration, command []string) ([]frame, error) {
	c := exec.Command(command[0], command[1:]...)
	c.Env = append(os.Environ(), "TERM=xterm-256color")
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)})
	if err != nil {
		return nil, fmt.Errorf("start %q in a terminal: %w", command, err)
	}
	screen := vt.NewSafeEmulator(columns, rows)
	go func() { _, _ = io.Copy(terminal, screen) }() // what a terminal answers when it is asked, until screen is closed
	shown := make(chan error, 1)
	go func() {
		_, err := io.Copy(screen, terminal)
		shown <- err
	}()

	var frames []frame
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	look := func() {
		lines := linesOf(screen)
		if len(frames) == 0 || !slices.EqualFunc(lines, frames[len(frames)-1].lines, slices.Equal) {
			frames = append(frames, frame{lines: lines})
		}
		frames[len(frames)-1].shown += interval
	}
	for {
		select {
		case <-ticker.C:
			look()
		case err := <-shown:
			look()
			// A terminal whose last program has ended answers with EIO.
			if !errors.Is(err, syscall.EIO) && err != nil {
				return nil, err
			}
			if err := c.Wait(); err != nil {
				return nil, fmt.Errorf("%q: %w", command, err)
			}
			return frames, errors.Join(screen.Close(), terminal.Close())
		}
	}
}
