package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// lines sends each write as it comes.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	l <- string(text)
	return len(text), nil
}

// TestInterruptIsPassedOnToPulumi holds that Pulumi is not killed when a deployment is interrupted. It gets the interrupt, once, and
// a second one when the person interrupts again.
func TestInterruptIsPassedOnToPulumi(t *testing.T) {
	folder, said := t.TempDir(), make(lines, 100)
	pulumi := `#!/bin/sh
count=0
trap 'count=$((count + 1)); echo "interrupt $count"; [ $count -lt 2 ] || exit 1' INT
echo begun
while :; do sleep 0.05; done
`
	if err := os.WriteFile(filepath.Join(folder, "pulumi"), []byte(pulumi), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	stack, err := NewStack(New(Options{Folder: t.TempDir()}), said)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- stack.run(ctx, "up") }()
	await := func(want string) {
		t.Helper()
		select {
		case line := <-said:
			if strings.TrimSpace(line) != want {
				t.Fatalf("Pulumi says %q, want %q", line, want)
			}
		case err := <-ended:
			t.Fatalf("Pulumi ends before it says %q: %v", want, err)
		}
	}
	await("begun")
	interrupt()
	await("interrupt 1")
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	await("interrupt 2")
	if err := <-ended; err == nil {
		t.Error("an interrupted deployment succeeds")
	}
}
