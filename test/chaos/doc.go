// Package chaos tests that no vote is lost and none counts twice, whatever is killed, paused, full or out of memory: the
// real programs with a real Redis each and a real PostgreSQL, and voters who keep books of what they were told. It has
// nothing but tests.
package chaos
