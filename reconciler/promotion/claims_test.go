package promotion_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Claims are the values that the objects of a world's instances have for an observed output of its offering, once all of its versions have
// one. The value is another one on each cluster, so that one which comes to the wrong cluster is found.
type claims struct {
	observed []platform.ObservedOutput // nil: versions have no such output
	urgent   bool
	values   map[string]value                       // by placement; the zero value where there is none
	chosen   map[platform.RequestKey]*state.Release // records that the pass which is rendered has from now on
}

// A value is the so many-th one of a placement.
type value struct {
	n     int
	gone  bool
	since time.Duration
}

// claiming is a version that reads an output of the request which it is bound to.
var claiming = sync.OnceValue(func() platform.Version {
	p, err := platform.Load(fstest.MapFS{
		"offerings/web/offering.yaml": kindFile("Offering", "{name: web}", "{title: T}"),
		"offerings/web/1.0.0/version.yaml": kindFile("Version", "{name: web}", `
  bindings: {to: {offerings: [web]}}
  computed: {address: 'has(bindings.to) ? bindings.to.endpoint : ""'}
  outputs: [{name: endpoint, type: string, example: a, from: {group: example.com, kind: Claim, path: status.endpoint}}]`),
		"offerings/web/1.0.0/kustomization.yaml": component(),
	})
	if err != nil || len(p.Problems) > 0 {
		panic(fmt.Sprint(err, p.Problems))
	}
	return *p.Offerings["web"].Versions[0]
})

// claimAll has all versions from now on tell an endpoint, and read that of the request which they are bound to.
func (w *world) claimAll(urgent bool) {
	w.claims = claims{observed: slices.Clone(claiming().Observed), urgent: urgent, values: map[string]value{}}
	w.claims.observed[0].Urgent = urgent
	w.platform.Offerings["web"].Versions = nil
	w.publish("1.0.0")
}

// version is one that is to be published.
func (c *claims) version() *platform.Version {
	if c.observed == nil {
		return &platform.Version{}
	}
	v := claiming()
	v.Observed = c.observed
	return &v
}

// say has an object of a placement have another value, or none.
func (w *world) say(name, cluster string, gone bool) {
	if w.claims.observed == nil {
		return
	}
	v := w.claims.values[name+"@"+cluster]
	if gone != v.gone || !gone {
		v.since = w.clock
	}
	if v.gone = gone; !gone {
		v.n++
	}
	w.claims.values[name+"@"+cluster] = v
	w.note("%s has the value v%d on %s, and it is missing: %v", name, v.n, cluster, gone)
}

// utter has each value be there that was missing.
func (w *world) utter() {
	for placement, v := range w.claims.values {
		if v.gone {
			w.claims.values[placement] = value{v.n, false, w.clock}
		}
	}
}

// truth is the value that a placement's object truly has, and since when; empty: none.
func (w *world) truth(on *placed) (text string, since time.Duration) {
	v := w.claims.values[on.key.Name+"@"+on.cluster]
	up := on.since + startup
	if w.claims.observed == nil || v.gone || on.revision == "" || w.clock < up {
		return "", 0
	}
	return fmt.Sprintf("v%d-%s", v.n, on.cluster), max(v.since, up)
}

// told are the values that a daemon was told of a placement.
func (w *world) told(on *placed) map[string]promotion.Told {
	text, since := w.truth(on)
	if text == "" || w.isBlind(on.cluster) {
		return nil
	}
	return map[string]promotion.Told{"endpoint": {Value: text, Stood: w.clock - max(since, w.booted)}}
}

// tellers are the requests of an environment whose values may not be recorded.
func (w *world) tellers(s *stage) map[platform.RequestKey]bool {
	all := map[platform.RequestKey]bool{}
	for k, r := range s.releases {
		if r.Absent || len(r.Observes) == 0 {
			continue
		}
		for cluster := range r.Clusters {
			on := s.live[k.Name+"@"+cluster]
			if on == nil || w.unwatched(cluster) {
				continue
			}
			seen := r.Observed[cluster]["endpoint"]
			if told, any := w.told(on)["endpoint"]; any && !seen.Is(told.Value) {
				all[k] = true
			}
		}
	}
	return all
}

// given is the value that an instance is given on a cluster, as part of a render key; Problems say that there is none yet.
func (w *world) given(i *platform.Instance, cluster string) (text string, waits []platform.Problem) {
	for _, k := range i.Bindings {
		if w.claims.observed == nil {
			return "", nil
		}
		r := w.provider(i.Environment.Name, k)
		if r != nil && len(r.Observes) == 0 {
			continue
		}
		var seen state.Observed
		if r != nil {
			seen = r.Observed[cluster]["endpoint"]
		}
		if seen.Value == nil {
			return "", []platform.Problem{{Message: fmt.Sprintf("%s has told no endpoint on %s", k, cluster)}}
		}
		text = " " + seen.Value.(string)
	}
	return text, nil
}

// provider is the record of a request, as the pass has it that is under way; nil: it does not run.
func (w *world) provider(environment string, k platform.RequestKey) *state.Release {
	r := w.claims.chosen[k]
	if r == nil {
		r = w.stages[environment].releases[k]
	}
	if r == nil || r.Absent {
		return nil
	}
	return r
}

// keyed is a placement with the keys that say which values are in its own.
func (c *claims) keyed(p state.Placement) state.Placement {
	if without := withoutValue(p.RenderKey); without != p.RenderKey {
		p.ValueKey = without
	}
	if c.urgent {
		p.UrgentKey = p.ValueKey
	}
	return p
}

// withoutValue is a render key without the value in it.
func withoutValue(key string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(key), func(word string) bool { return strings.HasPrefix(word, "v") }), " ")
}

// valuesIn are the values in the words of a revision, also with the request that is given them.
func valuesIn(words []string) (all []string) {
	for _, word := range words {
		if strings.HasPrefix(word, "v") {
			all = append(all, word, word+"/"+words[len(words)-1])
		}
	}
	return all
}

// keeping is a record that goes on, as rendering has it, with the values of the one before it.
func keeping(next, base *state.Release) *state.Release {
	if base == nil || base.Absent || len(next.Observes) == 0 {
		return next
	}
	kept := *next
	kept.KeepObserved(base)
	return &kept
}
