package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
)

// A faultyWriter panics at its first write.
type faultyWriter struct {
	*httptest.ResponseRecorder
	panicked bool
}

func (f *faultyWriter) Write(part []byte) (int, error) {
	if !f.panicked {
		f.panicked = true
		panic("nobody thought of that")
	}
	return f.ResponseRecorder.Write(part)
}

func (f *faultyWriter) WriteString(part string) (int, error) { return f.Write([]byte(part)) }

var _ http.ResponseWriter = (*faultyWriter)(nil)

// TestAStreamIsFreeAfterAWriteThatPanics: the next one writes, and the stream ends.
func TestAStreamIsFreeAfterAWriteThatPanics(t *testing.T) {
	w := &faultyWriter{ResponseRecorder: httptest.NewRecorder()}
	keepAlive, tell, end := web.Stream(w, "news")
	require.Panics(t, keepAlive)
	tell()
	require.Equal(t, "news", w.Body.String())
	end()
}
