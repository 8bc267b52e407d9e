package reconciler

import (
	"fmt"
	"sync"
	"time"
)

// stuckAfter is how long a pass may compute without having finished with any instance before the daemon is not ready.
const stuckAfter = time.Minute

// A watchdog knows how far the pass under way is. Its zero value knows of none. It is safe for concurrent use.
type watchdog struct {
	mu    sync.Mutex
	began time.Time // of the pass; zero: none is under way
	step  time.Time // when something of it came to its end last
	phase string    // that computes; empty: the pass waits for Git
}

func (w *watchdog) begin(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began, w.step, w.phase = now, now, ""
}

func (w *watchdog) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began, w.phase = time.Time{}, ""
}

// enter says that a phase begins. Phases that wait for Git have bounds of their own.
func (w *watchdog) enter(phase string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if phase == "fetch" || phase == "commit" {
		phase = ""
	}
	w.step, w.phase = now, phase
}

// stepped says that something came to its end.
func (w *watchdog) stepped(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step = now
}

// age is how long the pass under way has taken until now; zero where there is none.
func (w *watchdog) age(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began.IsZero() {
		return 0
	}
	return now.Sub(w.began)
}

// stuck says where a pass computes without coming to an end, or nothing.
func (w *watchdog) stuck(now time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began.IsZero() || w.phase == "" || now.Sub(w.step) < stuckAfter {
		return ""
	}
	return fmt.Sprintf("phase %s has come to no end for %s", w.phase, now.Sub(w.step).Round(time.Second))
}

// ages are how long the passes under way have taken, by environment; zero where none is.
func (all *loops) ages(now time.Time) map[string]time.Duration {
	all.mu.Lock()
	defer all.mu.Unlock()
	ages := map[string]time.Duration{}
	for name, l := range all.byName {
		ages[name] = l.watchdog.age(now)
	}
	return ages
}

// stuck lists the environments whose passes come to no end, in no order.
func (all *loops) stuck(now time.Time) (lines []string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for name, l := range all.byName {
		if why := l.watchdog.stuck(now); why != "" {
			lines = append(lines, fmt.Sprintf("environment %s is stuck: %s", name, why))
		}
	}
	return lines
}
