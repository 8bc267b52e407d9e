package promotion_test

import (
	"fmt"
	"testing"
	"time"

	"transom.dev/reconciler/promotion"
)

// many is a ladder on which so many requests rest.
func many(b testing.TB, n int) *world {
	w := ladder()
	w.environmentOf("prod").Rollout.Waves = nil
	for i := range n {
		w.requests[key(fmt.Sprintf("r%05d", i))] = everywhere(1)
	}
	w.merge("the platform begins")
	for range 40 {
		w.run(tick)
		w.passes()
	}
	if !w.arrived() {
		b.Fatal(w.late())
	}
	return w
}

// decide is a pass over every environment, and returns how long it took.
func (w *world) decideAll(views []*promotion.View) time.Duration {
	began := time.Now()
	for _, v := range views {
		v.Choose().Admit(nil)
	}
	return time.Since(began)
}

func (w *world) views() (list []*promotion.View) {
	for _, name := range w.order {
		list = append(list, w.view(name))
	}
	return list
}

// BenchmarkDecide is a decision over 10,000 requests in three environments: with nothing to do, and with one request
// changed.
func BenchmarkDecide(b *testing.B) {
	const requests = 10000
	w := many(b, requests)
	b.Run("resting", func(b *testing.B) {
		views := w.views()
		b.ReportAllocs()
		best := time.Hour
		for b.Loop() {
			best = min(best, w.decideAll(views))
		}
		b.ReportMetric(float64(best.Microseconds())/1000, "decide-30000-resting:ms")
	})
	resting := fastest(w)
	w.bump("r00007")
	b.Run("one-change", func(b *testing.B) {
		views := w.views()
		b.ReportAllocs()
		for b.Loop() {
			w.decideAll(views)
		}
		b.ReportMetric(float64(fastest(w))/float64(resting), "decide-one-change:times-resting")
	})
}

// fastest is the best of some passes.
func fastest(w *world) time.Duration {
	views, best := w.views(), time.Hour
	for range 10 {
		best = min(best, w.decideAll(views))
	}
	return best
}
