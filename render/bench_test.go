package render_test

import (
	"fmt"
	"io/fs"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// BenchmarkPlatform measures the part of push-to-live that is neither Git nor a cluster, on platforms of so many requests
// in three environments.
//
//	cold         load the platform and render every instance, from nothing
//	one-change   one request changed: load, render and plan
//	new-version  an offering that a tenth of the requests use got a version: load, render and plan
func BenchmarkPlatform(b *testing.B) {
	for _, requests := range []int{1000, 10000} {
		b.Run(fmt.Sprint(requests), func(b *testing.B) {
			b.Run("cold", func(b *testing.B) { benchmarkCold(b, requests) })
			running := sync.OnceValue(func() *world {
				w := &world{files: generate(requests), keep: true}
				w.pass(b)
				return w
			})
			b.Run("one-change", func(b *testing.B) {
				benchmarkChange(b, running(), requests, "one-change", 3, func(files *snapshot, n int) {
					files.request(42, fmt.Sprintf("registry.example.com/shop:changed-%d", n))
				})
			})
			b.Run("new-version", func(b *testing.B) {
				benchmarkChange(b, running(), requests, "new-version", 3*requests/10, func(files *snapshot, n int) {
					files.publish(7, fmt.Sprintf("1.%d.0", n+1), fmt.Sprint("note ", n))
				})
			})
		})
	}
}

func benchmarkCold(b *testing.B, requests int) {
	files := generate(requests)
	for b.Loop() {
		peak := watchHeap()
		start := time.Now()
		w := &world{files: files}
		require.Equal(b, 3*requests, w.pass(b))
		b.ReportMetric(time.Since(start).Seconds(), fmt.Sprintf("platform-%d-cold:s", requests))
		b.ReportMetric(peak()/(1<<20), fmt.Sprintf("platform-%d-cold-memory:MiB", requests))
		runtime.KeepAlive(w)
	}
}

// benchmarkChange reports the median of the passes.
func benchmarkChange(b *testing.B, w *world, requests int, name string, touched int, change func(files *snapshot, n int)) {
	var took []time.Duration
	for b.Loop() {
		for range 9 {
			b.StopTimer()
			change(w.files, w.passes)
			w.files.root.ID()
			runtime.GC()
			b.StartTimer()
			start := time.Now()
			require.Equal(b, touched, w.pass(b))
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, fmt.Sprintf("platform-%d-%s:ms", requests, name))
}

// watchHeap samples the bytes on the heap, garbage included, until it is asked for the most that it saw.
func watchHeap() (peak func() float64) {
	runtime.GC()
	done, most := make(chan struct{}), make(chan float64)
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	go func() {
		var seen float64
		for ticks := time.Tick(10 * time.Millisecond); ; {
			metrics.Read(sample)
			seen = max(seen, float64(sample[0].Value.Uint64()))
			select {
			case <-ticks:
			case <-done:
				most <- seen
				return
			}
		}
	}()
	return func() float64 {
		close(done)
		return <-most
	}
}

// A world is a platform repository, and the state of its environments as a daemon has it from pass to pass.
type world struct {
	files     *snapshot
	keep      bool // the state's files, for plans
	loader    platform.Loader
	renderers map[string]*render.Renderer
	bases     map[string]*render.Base
	states    map[string]fstest.MapFS
	passes    int
}

// pass loads, renders, plans and commits all environments, and returns how many releases that touched.
func (w *world) pass(t testing.TB) (touched int) {
	t.Helper()
	w.passes++
	if w.bases == nil {
		w.renderers, w.bases, w.states = map[string]*render.Renderer{}, map[string]*render.Base{}, map[string]fstest.MapFS{}
		for _, environment := range environments {
			w.states[environment] = fstest.MapFS{}
			w.renderers[environment] = &render.Renderer{}
			w.bases[environment] = &render.Base{Files: stateFiles{w.states[environment]}}
		}
	}
	p, err := w.loader.Load(w.files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	p.Commit = "c0ffee"
	for _, environment := range environments {
		base := w.bases[environment]
		state, err := w.renderers[environment].Render(p, environment, base)
		require.NoError(t, err)
		require.Empty(t, state.Problems)
		touched += len(state.Touched)
		if w.keep {
			_, err = preview.Changes(base, state)
			require.NoError(t, err)
			for name, content := range state.Changes {
				put(w.states[environment], name, content)
			}
		}
		base.Advance(state, base.Files)
	}
	return touched
}

// stateFiles lists no more than the clusters, the only folder of a state that a pass lists.
type stateFiles struct{ fstest.MapFS }

func (s stateFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "clusters" {
		return nil, nil
	}
	return s.MapFS.ReadDir(name)
}
