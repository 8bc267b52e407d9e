package notify_test

import (
	"testing"

	"transom.dev/reconciler/notify"
)

func TestMain(m *testing.M) {
	notify.Main()
	m.Run()
}
