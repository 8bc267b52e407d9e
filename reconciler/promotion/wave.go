package promotion

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/platform"
)

// everywhere is the one wave of an environment that names none.
var everywhere = []platform.Wave{{}}

func waves(e *platform.Environment) []platform.Wave {
	if len(e.Rollout.Waves) == 0 {
		return everywhere
	}
	return e.Rollout.Waves
}

// waveOf returns the index of a cluster's wave: the first that selects it, or else one without a selector. -1: none.
func (v *View) waveOf(cluster string) int {
	rest := -1
	c := v.Platform.Clusters[cluster]
	for i, w := range waves(v.Environment) {
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
func (p *Pass) turn(r *platform.Release, moved, pending []string) (now []string, gate *Gate) {
	for i, w := range waves(p.view.Environment) {
		in := func(clusters []string) (out []string) {
			for _, c := range clusters {
				if p.view.waveOf(c) == i {
					out = append(out, c)
				}
			}
			return out
		}
		done, left := in(moved), in(pending)
		here := condition{}
		if len(done) > 0 && r != nil {
			here = p.view.condition(p.view.Environment, r, done)
		}
		if len(left) > 0 {
			free := share(w.MaxConcurrent, len(done)+len(left)) - (here.counting - here.healthy)
			if free <= 0 {
				return nil, p.coming(w, here)
			}
			return left[:min(free, len(left))], nil
		}
		switch {
		case here.counting == 0, len(pending) == 0 && here.arrived() && here.healthy == 0: // nothing comes after it that it has to prove
		case here.all() || len(pending) == 0 && here.arrived():
			if here.soaked < w.Soak {
				return nil, p.soaking(w, here)
			}
		default:
			return nil, p.unwell(w, here)
		}
	}
	if len(pending) > 0 {
		return nil, &Gate{
			Name: "rollout", Reason: fmt.Sprintf("%s is in no wave of %s", strings.Join(pending, ", "), p.view.Environment.File),
			Opens: "a wave that selects it, or one without a selector",
		}
	}
	return nil, nil
}

func (p *Pass) coming(w platform.Wave, c condition) *Gate {
	return &Gate{Name: "rollout", Reason: fmt.Sprintf("%d of wave %s on their way: %s", c.counting-c.healthy, name(w), c.why()), Opens: c.opens("their health")}
}

func (p *Pass) unwell(w platform.Wave, c condition) *Gate {
	return &Gate{Name: "rollout", Reason: fmt.Sprintf("wave %s is not healthy: %s", name(w), c.why()), Opens: c.opens("its health")}
}

func (p *Pass) soaking(w platform.Wave, c condition) *Gate {
	return &Gate{
		Name: "rollout", Reason: fmt.Sprintf("wave %s soaks, %s of %s", name(w), c.soaked.Round(time.Second), w.Soak),
		Opens: "its health for that long", At: p.view.Now.in(w.Soak - c.soaked),
	}
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

// without returns list without the elements of gone.
func without(list, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(gone, s) })
}
