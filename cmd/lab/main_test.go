package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

func TestWrongArgumentsGetHelp(t *testing.T) {
	for _, arguments := range []string{"", "fly", "down now", "down --frontends 2", "up --frontends two", "cut", "cut off", "join 1 2"} {
		if err := run(t.Context(), strings.Fields(arguments), io.Discard); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("lab %s: %v, want the help", arguments, err)
		}
	}
}

func TestMirrorServesUntilStopped(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "images")
	if err := run(t.Context(), []string{"mirror", "--images", folder}, io.Discard); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("without images: %v, want an error that names the folder", err)
	}
	if _, err := layout.Write(folder, empty.Index); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"mirror", "--images", folder, "--listen", address}, io.Discard) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		answer, err := http.Get(fmt.Sprintf("http://%s/v2/", address))
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("the mirror answers %s", answer.Status)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the mirror does not answer: %v", err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("a stopped mirror ends with %v", err)
	}
}
