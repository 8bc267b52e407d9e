package diff_test

import (
	"testing"

	"transom.dev/render/worker"
)

func TestMain(m *testing.M) {
	worker.Main()
	m.Run()
}
