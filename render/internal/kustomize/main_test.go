package kustomize_test

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"

	"transom.dev/render/worker"
)

var update = flag.Bool("update", false, "rewrite the problems in testdata")

// TestMain lets garbage grow: most of the live heap is Kustomize's schema, which the collector would go through every few
// builds.
func TestMain(m *testing.M) {
	worker.Main()
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
