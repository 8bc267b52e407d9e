package console

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/state"
)

// A node is an object of a placement, an object that a controller made for it, or a pod, with those below it.
type node struct {
	Kind, Namespace, Name string
	Health                verdict
	Word                  string // its health, or the phase of a pod
	Why                   string
	Link                  string // to its desired manifest, or to the log of a pod; empty: there is none
	Live                  string // to the object as its cluster has it; empty: nobody may see that
	Started               time.Time
	Containers            []api.Container
	Below                 []*node
	More                  int // nodes below that are left out

	seen bool // it is a pod that was looked at
	made bool // by a controller: nobody asked its health, so that it is as its pods are
}

// treeOf hangs the pods of a placement below the objects that they belong to. A pod whose owners are not among the objects, as those that an
// operator makes, stands below its owner. A pod that is itself an object is one node.
func treeOf(p *status.Placement, pods []api.Pod) (roots []*node) {
	if p != nil {
		for _, o := range p.Objects {
			if p.Health == state.Unknown { // the objects were seen before the cluster went away
				o.Health = state.Unknown
			}
			roots = append(roots, &node{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Health: verdict(o.Health), Word: string(o.Health), Why: o.Message})
		}
	}
	for i := range pods {
		if at := slices.IndexFunc(roots, func(n *node) bool { return n.is(api.Controller{Kind: "Pod", Name: pods[i].Name}, pods[i].Namespace) }); at >= 0 {
			*roots[at] = *podNode(&pods[i]) // it was looked at just now
			continue
		}
		above := &roots
		for _, owner := range ownersFrom(roots, &pods[i]) {
			above = &nodeOf(above, owner, pods[i].Namespace).Below
		}
		*above = append(*above, podNode(&pods[i]))
	}
	for _, root := range roots {
		root.judge()
	}
	slices.SortStableFunc(roots, func(a, b *node) int { // those with pods come first: people look for them
		return cmp.Compare(min(len(b.Below), 1), min(len(a.Below), 1))
	})
	return roots
}

// Bounds of the trees of a page, which has one for each cluster: so many roots in all, and so many nodes side by side in one tree.
const mostRoots, mostBeside, leastBeside = 1000, 100, 10

// trim leaves out the nodes that are best off where more stand side by side than a page of so many trees has room for, and counts them.
func trim(nodes []*node, trees int) (kept []*node, more int) {
	for _, n := range nodes {
		n.Below, n.More = trim(n.Below, trees)
	}
	most := max(leastBeside, min(mostBeside, mostRoots/max(trees, 1)))
	if len(nodes) <= most {
		return nodes, 0
	}
	slices.SortStableFunc(nodes, func(a, b *node) int { return cmp.Compare(a.Health.rank(), b.Health.rank()) })
	return nodes[:most], len(nodes) - most
}

// link gives the pods of a placement the address of their log, and its objects those of their manifests where whoever looks may see them.
func link(nodes []*node, in *status.Instance, cluster string, manifests bool) {
	for _, n := range nodes {
		switch {
		case n.seen:
			n.Link = podsLink(in.Request, in.Environment, cluster) + "&pod=" + url.QueryEscape(n.Name) + "#log"
		case manifests && !n.made:
			n.Link = manifestsLink(in.Request, in.Environment, cluster, "") + "&object=" + url.QueryEscape(objectName(n.Kind, n.Namespace, n.Name))
			if n.Kind != "Secret" { // it stays in its cluster
				n.Live = n.Link + "&live=true"
			}
		}
		link(n.Below, in, cluster, manifests)
	}
}

// run finds the number at the end of the name of a Job that a CronJob made.
var run = regexp.MustCompile(`-[0-9]{6,}$`)

// ownersFrom are the owners of a pod from the top down. A Job whose name has that of a CronJob of the placement is that one's.
func ownersFrom(roots []*node, p *api.Pod) []api.Controller {
	owners := slices.Clone(p.Owners)
	if n := len(owners); n > 0 && owners[n-1].Kind == "Job" {
		name := run.ReplaceAllString(owners[n-1].Name, "")
		if slices.ContainsFunc(roots, func(r *node) bool { return r.is(api.Controller{Kind: "CronJob", Name: name}, p.Namespace) }) {
			owners = append(owners, api.Controller{Kind: "CronJob", Name: name})
		}
	}
	slices.Reverse(owners)
	return owners
}

func (n *node) is(c api.Controller, namespace string) bool {
	return n.Kind == c.Kind && n.Name == c.Name && n.Namespace == namespace
}

// nodeOf is the node of a controller, which is added where it is not there.
func nodeOf(among *[]*node, c api.Controller, namespace string) *node {
	for _, n := range *among {
		if n.is(c, namespace) {
			return n
		}
	}
	made := &node{Kind: c.Kind, Namespace: namespace, Name: c.Name, made: true}
	*among = append(*among, made)
	return made
}

func podNode(p *api.Pod) *node {
	n := &node{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, Word: p.Phase, Why: p.Message, Started: p.Started, Containers: p.Containers, Health: healthy, seen: true}
	waits := slices.ContainsFunc(p.Containers, func(c api.Container) bool { return !c.Ready && !c.Prepares })
	switch {
	case p.Message != "" || p.Phase == "Failed":
		n.Health = verdict(state.Failed)
	case p.Phase == "Succeeded":
	case p.Phase != "Running" || waits:
		n.Health = verdict(state.Progressing)
	}
	return n
}

// judge gives a node that a controller made the worst verdict of those below it, and says how many of its pods are well, however far below.
func (n *node) judge() (well, pods int) {
	if n.Kind == "Pod" {
		if n.Health == healthy {
			well++
		}
		return well, 1
	}
	worst := healthy
	for _, below := range n.Below {
		w, p := below.judge()
		well, pods = well+w, pods+p
		if below.Health.rank() < worst.rank() {
			worst = below.Health
		}
	}
	if n.made {
		n.Health, n.Word = worst, fmt.Sprintf("%d of %s well", well, terminalCount(pods, "pod"))
	}
	return well, pods
}
