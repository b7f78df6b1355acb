// Package bench measures the poll against the limits of the machine: most figures are ratios to what the machine does in the
// same run without the poll's work. `make bench` measures at full length and prints the table of docs/performance.md. Other
// tests run a short form, so that the measurements keep working. `make million` is TestMillion with a million votes.
package bench
