package promotion

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// everywhere is the one wave of an environment that names none.
var everywhere = []platform.Wave{{}}

// waves say when it is the turn of a cluster.
type waves struct {
	*View
	people *people
}

func wavesOf(e *platform.Environment) []platform.Wave {
	if len(e.Rollout.Waves) == 0 {
		return everywhere
	}
	return e.Rollout.Waves
}

// of returns the index of a cluster's wave: the first that selects it, or else one without a selector. -1: none.
func (v waves) of(cluster string) int {
	rest := -1
	c := v.Platform.Clusters[cluster]
	for i, w := range wavesOf(v.Environment) {
		switch {
		case w.Clusters == nil && rest < 0:
			rest = i
		case w.Clusters != nil && c != nil && w.Clusters.Matches(labels.Set(c.Labels)):
			return i
		}
	}
	return rest
}

// turn returns those of the clusters still to move whose turn it is, when others have moved, and the gate that the rest wait
// for. A wave begins when everything before it is healthy at its revision and has soaked. A suspended placement proves
// nothing to a wave, but the last wave does not wait for it.
func (v waves) turn(r *state.Release, moved, pending []string) (now []string, waits *Gate) {
	for i, w := range wavesOf(v.Environment) {
		in := func(clusters []string) (out []string) {
			for _, c := range clusters {
				if v.of(c) == i {
					out = append(out, c)
				}
			}
			return out
		}
		done, waiting := in(moved), in(pending)
		here := condition{}
		if len(done) > 0 && r != nil {
			here = v.condition(v.Environment, r, done)
		}
		if len(waiting) > 0 {
			free := share(w.MaxConcurrent, len(done)+len(waiting)) - (here.counting - here.healthy)
			if free <= 0 {
				return nil, coming(w, here)
			}
			return waiting[:min(free, len(waiting))], nil
		}
		if g := v.unfinished(w, here, len(pending) == 0); g != nil {
			return nil, g
		}
		if g := v.openCheck(r, done); g != nil {
			return nil, g
		}
	}
	if len(pending) > 0 {
		return nil, &Gate{
			Name: gate.Rollout, Reason: fmt.Sprintf("%s is in no wave of %s", strings.Join(pending, ", "), v.Environment.File),
			Opens: "a wave that selects it, or one without a selector",
		}
	}
	return nil, nil
}

// unfinished is the gate of a wave that has all its bytes and is not over yet, or nil. Of the last one nothing more has to be
// proven than that it arrived.
func (v waves) unfinished(w platform.Wave, here condition, last bool) *Gate {
	arrived := last && here.arrived()
	switch {
	case here.counting == 0, arrived && here.healthy == 0:
		return nil
	case !here.all() && !arrived:
		return &Gate{Name: gate.Rollout, Reason: fmt.Sprintf("wave %s is not healthy: %s", name(w), here.why()), Opens: here.opens("its health")}
	case here.soaked < w.Soak:
		return &Gate{
			Name: gate.Rollout, Reason: fmt.Sprintf("wave %s soaks, %s of %s", name(w), here.soaked.Round(time.Second), w.Soak),
			Opens: "its health for that long", At: v.Now.in(w.Soak - here.soaked),
		}
	}
	return nil
}

// coming is the gate of the clusters of a wave that wait until fewer others of it are on their way.
func coming(w platform.Wave, c condition) *Gate {
	return &Gate{Name: gate.Rollout, Reason: fmt.Sprintf("%d of wave %s on their way: %s", c.counting-c.healthy, name(w), c.why()), Opens: c.opens("their health")}
}

// reach returns which of the clusters that are to move to a release have their turn, without those that a person holds, and the
// gate that the others wait for.
func (v waves) reach(to ReleaseRef, base *state.Release, moved, pending []string) (now []string, waits *Gate) {
	now, waits = v.turn(base, moved, pending)
	for _, cluster := range slices.Clone(now) {
		if held := v.people.holdOf(cluster, to); held != nil {
			now, waits = without(now, []string{cluster}), held
		}
	}
	return now, waits
}

// free returns those of the clusters that nobody holds for a release, and the Holds of the others.
func (p *people) free(clusters []string, to ReleaseRef) (list []string, holds []Gate) {
	for _, cluster := range clusters {
		if held := p.holdOf(cluster, to); held != nil {
			holds = append(holds, *held)
		} else {
			list = append(list, cluster)
		}
	}
	return list, holds
}

func name(w platform.Wave) string {
	if w.Name == "" {
		return "of all clusters"
	}
	return w.Name
}

// share is how many of n a bound allows: a number, or a percentage that rounds up; no bound allows all.
func share(bound string, n int) int {
	if bound == "" {
		return n
	}
	if percent, ok := strings.CutSuffix(bound, "%"); ok {
		of, _ := strconv.Atoi(percent)
		return max((n*of+99)/100, 1)
	}
	number, _ := strconv.Atoi(bound)
	return number
}

// soakOf is for how long the wave of a cluster soaks.
func (v waves) soakOf(cluster string) time.Duration {
	if i := v.of(cluster); i >= 0 {
		return wavesOf(v.Environment)[i].Soak
	}
	return 0
}

// without returns list without the elements of gone.
func without(list, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(gone, s) })
}

func intersect(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
