// Command bare is the limit that the vote page is measured against: a net/http server that answers every request with the
// same bytes.
//
//	bare ADDRESS FILE   answer on ADDRESS with the status, headers and body of the HTTP response in FILE
package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("the arguments are %q, want an address and a file", arguments)
	}
	file, err := os.Open(arguments[1])
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(file), nil)
	if err != nil {
		return fmt.Errorf("read %s: %w", arguments[1], err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end below
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read %s: %w", arguments[1], err)
	}
	response.Header.Del("Date") // the server sets it
	server := &http.Server{Addr: arguments[0], Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		maps.Copy(header, response.Header)
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(body) // an error means that the client is gone
	})}
	return server.ListenAndServe()
}
