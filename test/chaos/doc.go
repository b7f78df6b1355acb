// Package chaos tests that no vote is lost and none counts twice, whatever is killed, paused, full or out of memory. It runs
// the real programs with real Redis and PostgreSQL servers, and compares what they count with the voters' books. It has
// nothing but tests.
package chaos
