package helm_test

import (
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/helm"
)

// BenchmarkChartInstance compares the print of a chart for one instance with that of the SDK alone, on the chart of examples/acme. The work
// of Kustomize on the objects afterwards is in neither.
func BenchmarkChartInstance(b *testing.B) {
	files := map[string][]byte{}
	chart := os.DirFS("../../../examples/acme/offerings/pages/1.0.0/chart")
	require.NoError(b, fs.WalkDir(chart, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files[name], err = fs.ReadFile(chart, name)
		}
		return err
	}))
	call := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33", APIVersions: []string{"v1"}, Values: map[string]any{"page": "a"}}
	encoded, err := call.Encode()
	require.NoError(b, err)
	var own, sdks time.Duration
	for b.Loop() {
		start := time.Now()
		_, err := helm.Render(files, encoded)
		own += time.Since(start)
		require.NoError(b, err)
		start = time.Now()
		sdk(b, files, call)
		sdks += time.Since(start)
	}
	b.ReportMetric(own.Seconds()/sdks.Seconds(), "chart-instance:times")
	b.ReportMetric(own.Seconds()*1000/float64(b.N), "chart-instance:ms")
}
