package promotion_test

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// selector is that of an environment: its clusters, but for one that it passes over.
func selector(environment string, without []string) labels.Selector {
	s := labels.SelectorFromSet(labels.Set{"environment": environment})
	if len(without) > 0 {
		s = s.Add(notIn("slot", without))
	}
	return s
}

func notIn(label string, values []string) labels.Requirement {
	r, err := labels.NewRequirement(label, selection.NotIn, values)
	if err != nil {
		panic(err)
	}
	return *r
}

// member reports whether an environment selects a cluster.
func (w *world) member(environment string, c *platform.Cluster) bool {
	return c.Labels["environment"] == environment && (w.passed[environment] == "" || c.Labels["slot"] != w.passed[environment])
}

// others counts the clusters that the environment of a cluster selects beside it.
func (w *world) others(cluster string) (n int) {
	environment := w.platform.Clusters[cluster].Labels["environment"]
	for name, other := range w.platform.Clusters {
		if environment != "" && name != cluster && w.member(environment, other) {
			n++
		}
	}
	return n
}

// place publishes a version that is not for a cluster.
func (w *world) place(number, cluster string) *platform.Version {
	v := w.publish(number)
	v.Placement = labels.NewSelector().Add(notIn("slot", []string{cluster}))
	return v
}

// passOver has an environment select all of its clusters but one; empty: all.
func (w *world) passOver(environment, cluster string) {
	e := *w.platform.Environments[environment]
	w.passed[environment], e.Clusters = cluster, selector(environment, nil)
	if cluster != "" {
		e.Clusters = selector(environment, []string{cluster})
	}
	w.platform.Environments[environment] = &e
}

// moves is an event after which instances are to be on other clusters than before.
func (w *world) moves(e event, k platform.RequestKey, name, cluster string) {
	c := w.platform.Clusters[cluster]
	switch e.kind {
	case "place", "everyplace":
		w.offerElsewhere(e, cluster)
	case "slot":
		to, _ := pickOf(slices.Sorted(slices.Values([]string{"none", cluster, c.Name})), e.a)
		c.Labels["slot"] = to
		w.merge("%s is labelled slot %s", cluster, to)
	case "unslot":
		c.Labels["slot"] = cluster
		w.merge("%s is labelled slot %s", cluster, cluster)
	case "select":
		if w.others(cluster) > 0 {
			w.passOver(c.Labels["environment"], c.Labels["slot"])
			w.merge("%s passes over slot %s", c.Labels["environment"], c.Labels["slot"])
		}
	case "unselect":
		w.passOver(name, "")
		w.merge("%s selects all its clusters", name)
	case "flee":
		if w.others(cluster) > 0 {
			w.flee(cluster)
		}
	case "hurry":
		d := platform.Decision{Kind: "Override", Offering: "web", Skip: []gate.Name{gate.Leave}}
		if e.a%2 == 0 {
			d.Offering, d.Request = "", &k
		}
		w.decide(name, d)
	case "rush":
		if at := c.Labels["environment"]; at != "" {
			w.decide(at, platform.Decision{Kind: "Override", Offering: "web", Skip: []gate.Name{gate.Leave}})
			w.offerElsewhere(event{kind: "place", b: e.b}, cluster)
		}
	case "unhurry":
		for _, d := range slices.Clone(w.platform.Decisions) {
			if d.Kind == "Override" && slices.Contains(d.Skip, "leave") {
				w.undecide(d)
			}
		}
	}
}

// offerElsewhere publishes a version that is not for a cluster, and may be bad on another, or one that is for all.
func (w *world) offerElsewhere(e event, cluster string) {
	offered := w.platform.Offerings["web"].Versions
	if len(offered) > 7 {
		return
	}
	number := fmt.Sprintf("1.%d.0", len(offered))
	if e.kind == "everyplace" {
		w.merge("%s is published", w.publish(number))
		return
	}
	v := w.place(number, cluster)
	if e.a%3 == 0 {
		where := w.platform.Clusters[cluster].Labels["environment"]
		w.faults[number+"@"+where] = []fault{fails, hangs, stuck, gutter}[e.b%4]
	}
	w.merge("%s is published, which is not for %s and %q", v, cluster, w.faults[number+"@"+w.platform.Clusters[cluster].Labels["environment"]])
}

// flee drains a cluster at once.
func (w *world) flee(cluster string) {
	w.platform.Clusters[cluster].State, w.platform.Clusters[cluster].Now = platform.ClusterDraining, true
	w.merge("%s drains at once", cluster)
}
