package kustomize_test

import (
	"math"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

// TestWorkersBuildTheSame as Kustomize in this process, of everything that the examples have, and find the same beforehand.
func TestWorkersBuildTheSame(t *testing.T) {
	for _, f := range examples(t, "acme") {
		for _, w := range f.wrappers {
			want, err := kustomize.Build(w)
			require.NoError(t, err)
			got, err := kustomize.Build(inWorker(w))
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		}
		want, err := kustomize.Analyse(f.wrappers[0])
		require.NoError(t, err)
		got, err := kustomize.Analyse(inWorker(f.wrappers[0]))
		require.NoError(t, err)
		require.Equal(t, want.Objects, got.Objects)
		require.Equal(t, want.Problems, got.Problems)
		require.Equal(t, want.Reads(), got.Reads())
		files, err := f.wrappers[0].Files()
		require.NoError(t, err)
		inWorker, err := inWorker(f.wrappers[0]).Files()
		require.NoError(t, err)
		require.Equal(t, files, inWorker)
	}
}

// BenchmarkWorker builds the instances of the acme example by Kustomize, in a worker and here in turn, and reports by how
// much a worker takes longer.
func BenchmarkWorker(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as the product has it
	var wrappers []kustomize.Wrapper
	for _, f := range examples(b, "acme") {
		wrappers = append(wrappers, f.wrappers[0])
	}
	round := func(run kustomize.Runner) time.Duration {
		start := time.Now()
		for _, w := range wrappers {
			w.Run = run
			_, err := kustomize.Build(w)
			require.NoError(b, err)
		}
		return time.Since(start)
	}
	here, there := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for b.Loop() {
		for range 20 { // the best of each: whoever else uses the machine only makes it slower
			here, there = min(here, round(nil)), min(there, round(inWorker(wrappers[0]).Run))
		}
	}
	b.ReportMetric(there.Seconds()/here.Seconds(), "worker-build-ratio:times")
}
