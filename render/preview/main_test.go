package preview_test

import (
	"os"
	"testing"

	"transom.dev/render/worker"
)

// TestMain has these tests build as the product does, in workers.
func TestMain(m *testing.M) {
	worker.Main()
	os.Exit(m.Run())
}
