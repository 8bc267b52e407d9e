package promotion

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A condition sums up the observations of a release at exactly its revisions, on the clusters that count.
type condition struct {
	counting int
	healthy  int
	idle     int           // that are suspended
	soaked   time.Duration // the least of any that is not suspended
	partial  bool          // a cluster has bytes of another release still
	worst    string        // the cluster that keeps it from being better
	said     Observation   // by that cluster
}

// all reports whether every cluster that counts, and there are some, is healthy now.
func (c condition) all() bool { return c.counting > 0 && c.healthy == c.counting && !c.partial }

// arrived reports whether every cluster that counts came as far as it is asked to come by itself.
func (c condition) arrived() bool {
	return c.counting > 0 && c.healthy+c.idle == c.counting && !c.partial
}

// suspended reports whether nothing is on its way on any cluster that has it, and some wait for somebody: the manifests that
// are applied do not bring it to its revision.
func (c condition) suspended() bool { return c.said.Health == state.Suspended }

// opens says who or which event opens a gate that waits for health, which does not come by itself while it is suspended.
func (c condition) opens(health string) string {
	if c.suspended() {
		return "pods of that revision that were ready, or a version whose health entry says when it is healthy"
	}
	return health
}

// why gives the reason why it is not healthy.
func (c condition) why() string {
	switch {
	case c.counting == 0:
		return "no cluster counts"
	case c.all():
		return "is healthy"
	case c.partial && c.healthy == c.counting:
		return "is not everywhere yet"
	case !c.said.known():
		return c.worst + " has not said yet how it is"
	}
	return c.worst + ": " + c.said.text()
}

func (o Observation) text() string {
	text := string(o.Health)
	if o.Object != "" {
		text += " " + o.Object
	}
	if o.Message != "" {
		text += ": " + o.Message
	}
	return text
}

// evidence is text with since when it has been so, as far as somebody watched, and when somebody looked last: whatever happens to it
// after that is looked at, too.
func (o Observation) evidence() string {
	var when []string
	if o.Ailing > 0 {
		when = append(when, "seen not to be healthy for "+o.Ailing.Round(time.Second).String())
	}
	if !o.At.IsZero() {
		when = append(when, "unchanged since "+o.At.UTC().Format(time.RFC3339))
	}
	if len(when) == 0 {
		return o.text()
	}
	return o.text() + " (" + strings.Join(when, ", and ") + ")"
}

// condition returns that of a release on some of its clusters; nil: all.
func (v *View) condition(e *platform.Environment, r *state.Release, on []string) (c condition) {
	if on == nil {
		on = slices.Sorted(maps.Keys(r.Clusters))
	}
	for _, cluster := range on {
		placed, there := r.Clusters[cluster]
		if !there || placed.Joining || !v.counts(e, cluster) {
			continue
		}
		if outdated(placed) {
			c.partial = true
			continue
		}
		said := v.observe(e, r.Key, cluster, placed)
		if said.Health == state.Suspended {
			c.idle++
		} else if c.counting == c.idle || said.Soaked < c.soaked {
			c.soaked = said.Soaked
		}
		c.counting++
		if said.Health == state.Healthy {
			c.healthy++
		}
		if c.counting == 1 || worse(said, c.said) {
			c.worst, c.said = cluster, said
		}
	}
	return c
}

func worse(a, b Observation) bool {
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Ailing, b.Ailing)) > 0
}

// rank orders observations by how much is wrong.
func rank(o Observation) int {
	return slices.Index([]state.Health{state.Healthy, state.Suspended, "", state.Unknown, state.Progressing, state.Failed}, o.Health)
}

// observe returns a cluster's observation of exactly this revision; of any other it says nothing.
func (v *View) observe(e *platform.Environment, k platform.RequestKey, cluster string, placed state.Placement) Observation {
	said := v.Observe(e.Name, k, cluster)
	if said.Revision != placed.Observed() {
		return Observation{Health: state.Unknown}
	}
	return said
}

// counts reports whether a cluster counts in gates and deadlines: it is active, readable and of the environment.
func (v *View) counts(e *platform.Environment, cluster string) bool {
	c := v.Platform.Clusters[cluster]
	return c != nil && c.State == platform.ClusterActive && selects(e, c)
}

func selects(e *platform.Environment, c *platform.Cluster) bool {
	return !c.Broken && e.Clusters != nil && e.Clusters.Matches(labels.Set(c.Labels))
}
