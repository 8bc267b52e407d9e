package helm_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/helm"
)

// BenchmarkChartInstance compares the print of a chart for the first and for the hundredth instance with that of the SDK alone, on the
// chart of examples/acme. The work of Kustomize on the objects afterwards is in neither.
func BenchmarkChartInstance(b *testing.B) {
	files := map[string][]byte{}
	chart := os.DirFS("../../../examples/acme/offerings/pages/1.0.0/chart")
	require.NoError(b, fs.WalkDir(chart, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files[name], err = fs.ReadFile(chart, name)
		}
		return err
	}))
	var charts helm.Charts
	instance := func(n int) (helm.Call, []byte) {
		call := helm.Call{Release: fmt.Sprintf("shop-%d", n), Namespace: "payments", Kubernetes: "1.33", APIVersions: []string{"v1"}, Values: map[string]any{"page": "a"}}
		encoded, err := call.Encode()
		require.NoError(b, err)
		return call, encoded
	}
	for n := range 99 {
		_, encoded := instance(n)
		_, err := charts.Render(files, encoded)
		require.NoError(b, err)
	}
	call, encoded := instance(99)
	var firsts, hundredths, sdks []time.Duration
	first := func() {
		firsts = append(firsts, timed(func() {
			_, err := helm.Render(files, encoded)
			require.NoError(b, err)
		}))
	}
	alone := func() { sdks = append(sdks, timed(func() { sdk(b, files, call) })) }
	for n := range max(b.N, 100) {
		for _, measure := range [][]func(){{first, alone}, {alone, first}}[n%2] { // the second of them finds warm caches
			measure()
		}
		for range 5 { // the caches of the processor are filled with the SDK's work otherwise
			hundredths = append(hundredths, timed(func() {
				_, err := charts.Render(files, encoded)
				require.NoError(b, err)
			}))
		}
	}
	ours, hundredth, theirs := median(firsts), median(hundredths), median(sdks)
	b.ReportMetric(ours/theirs, "chart-instance:times")
	b.ReportMetric(ours, "chart-instance:ms")
	b.ReportMetric(hundredth, "chart-instance-hundredth:ms")
	b.ReportMetric(hundredth/theirs, "chart-instance-hundredth:times")
	b.ReportMetric(0, "ns/op")
}

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// median is in milliseconds.
func median(took []time.Duration) float64 {
	slices.Sort(took)
	return took[len(took)/2].Seconds() * 1000
}
