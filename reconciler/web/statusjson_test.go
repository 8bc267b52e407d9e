package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// TestALargeStatusIsTheSameJSON: of no instance, one, and more than are kept in memory, and as many Problems, with texts that JSON escapes; a
// client that has it is told so.
func TestALargeStatusIsTheSameJSON(t *testing.T) {
	for _, n := range []int{0, 1, 3_000, -1, -2} { // below zero: without instances
		s := status.Status{Environments: []status.Environment{{Name: "dev"}}, Leader: "<one>"}
		for i := range max(n, -n) {
			s.Platform.Problems = append(s.Platform.Problems, platform.Problem{File: fmt.Sprintf("%d.yaml", i), Message: "<&>]}\u2028"})
		}
		if n == -2 {
			s.Instances = []status.Instance{}
		}
		for i := range n {
			s.Instances = append(s.Instances, status.Instance{
				Environment: "dev", Request: platform.RequestKey{Team: "payments", Name: fmt.Sprint("r", i)},
				Problems: []platform.Problem{{File: "a.yaml", Message: "<&>]}\u2028" + strings.Repeat("x", 3_000)}},
			})
		}
		var want bytes.Buffer
		require.NoError(t, json.NewEncoder(&want).Encode(s))
		require.Equal(t, n == 3_000, want.Len() > mostText)
		got, asks := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		require.NoError(t, writeJSON(got, asks, s))
		require.Equal(t, want.String(), got.Body.String())
		tag := got.Header().Get("ETag")
		require.Equal(t, fmt.Sprintf(`"%x"`, sha256.Sum256(want.Bytes())), tag)

		asks.Header.Set("If-None-Match", tag)
		got = httptest.NewRecorder()
		require.NoError(t, writeJSON(got, asks, s))
		require.Equal(t, http.StatusNotModified, got.Code)
		require.Zero(t, got.Body.Len())
	}
}
