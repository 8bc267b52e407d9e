// Package e2e has the tests that run the real binary against real API servers and real Git. It has no code of its
// own; `make build` makes bin/transom and bin/sandbox, which the tests use.
package e2e
