// Package acceptance tests the three programs together as voters, viewers and operators meet them: the real binaries,
// with a real Redis and a real PostgreSQL, and the pages in a real browser. It has nothing but tests.
package acceptance
