// Package acceptance tests the three programs together, as voters, viewers and operators use them. It runs the real programs
// with real Redis and PostgreSQL servers, and opens the pages in a real browser. It has nothing but tests.
package acceptance
