// Package bench measures the poll against its own limits: every figure is a ratio to what the same machine does in the
// same run without the poll's work. `make bench` runs it in full and prints the table of docs/performance.md; the tests
// run it shortened, so that it stays true. `make million` is one test of it, with a million votes.
package bench
