package kustomize

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/filters/labels"
	"sigs.k8s.io/kustomize/api/filters/patchjson6902"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render/state"
)

// A Rule says where the identity of an instance goes, besides the metadata of its objects.
type Rule int

const (
	// Selecting puts the identity onto the pod templates of workloads, and into a selector where that, as it is written,
	// selects one of them: then two instances of one namespace do not select each other's pods, and an object that selects the
	// pods of an operator, which nobody labels, goes on doing so. Selectors are those of workloads, Services, disruption
	// budgets and network policies, those of anti-affinity and topology spread within the namespace, and those of
	// PodMonitors, and of ServiceMonitors by the Services. Never the peer of a network policy, nor affinity: they are
	// about others. A selector with labels of a pod template that gets no identity stays as it is written, and so does
	// every selector of an object that is annotated transom.dev/selectors: as-written.
	Selecting Rule = iota

	// Nowhere leaves templates and selectors as they are written, so that a workload that runs may be adopted.
	Nowhere

	// Everywhere is the rule of the first renderer: all pod templates, and all selectors of workloads, Services, disruption
	// budgets and network policies. Its manifests are still rendered again, to be verified.
	Everywhere
)

// A Style says of one workload where the identity is in it, whatever the rule: a field that the API server lets nobody
// change stays as it was made.
type Style string

// The styles of workloads. A selector stands for a Deployment, StatefulSet, DaemonSet or ReplicaSet; a Job has none of its
// own, and its template cannot change either.
const (
	AsWritten    Style = "as-written" // not in the selector; of a Job, nowhere
	WithIdentity Style = "identity"   // in the selector; of a Job, on the template and in the selectors of its pod spec
	OnTemplate   Style = "template"   // of a Job, on the template only
)

// An Identity is where the labels that make an instance its own go into one render: into some fields of all objects of a
// kind, and by a patch into the fields of some. A patch also takes the replicas from objects that others scale. Kustomize
// does the same with both in the wrapper that is printed.
type Identity struct {
	pairs   map[string]string
	fields  []types.FieldSpec
	patches []identityPatch
	Chosen  string // where it goes, as a word
}

// An identityPatch puts the identity into one object, and takes spec.replicas from one that others scale.
type identityPatch struct {
	object   int
	target   types.Selector
	paths    [][]string // to maps of labels
	unscaled bool       // it loses spec.replicas
}

// Identify decides where the identity goes into the objects of the wrapper's components.
func (w *Wrapper) Identify(m Objects) (*Identity, error) {
	unwanted := w.Rule == Nowhere && len(w.Kept) == 0
	unnamed := len(w.Identity) == 0 || unwanted
	switch {
	case unnamed && w.KeepReplicas:
		return &Identity{}, nil
	case w.Rule == Everywhere:
		return &Identity{pairs: w.Identity, fields: everywhere()}, nil
	}
	views := ViewsOf(m, w.Prefix)
	if unnamed && len(w.Unscaled) == 0 && !slices.ContainsFunc(views, scales) {
		return &Identity{}, nil
	}
	return w.assign(views, w.choose(views, asIs))
}

// ViewsOf looks at all objects, which have the prefix by now.
func ViewsOf(m Objects, prefix string) Views {
	views := make(Views, m.Size())
	for n, r := range m.Resources() {
		views[n] = viewOf(r.YNode())
		if kind := views[n].id(); kind != "ConfigMap" && kind != "Secret" { // whose names may end in a hash
			views[n].name = strings.TrimPrefix(r.GetName(), prefix)
		}
	}
	return views
}

// A choice says where the identity goes into one object, and whether its replicas are for others to set.
type choice struct {
	template  bool
	selectors []bool
	unscaled  bool
}

// choose applies the rule. The views' texts are taken as read returns them.
func (w *Wrapper) choose(views []*view, read func(string) string) []choice {
	choices := make([]choice, len(views))
	if !w.KeepReplicas {
		for n := range w.scaled(views, read) {
			choices[n].unscaled = true
		}
	}
	for n, v := range views {
		if v.template == nil || len(w.Identity) == 0 {
			continue
		}
		choices[n].template = w.Rule == Selecting
		switch style := w.Kept[v.kind+" "+v.name]; {
		case style == "":
		case v.workload():
			choices[n].template = choices[n].template || style == WithIdentity
		default:
			choices[n].template = style != AsWritten
		}
	}
	for n, v := range views {
		choices[n].selectors = make([]bool, len(v.selectors))
		style := Style("")
		if v.template != nil {
			style = w.Kept[v.kind+" "+v.name]
		}
		for i := range v.selectors {
			s := &v.selectors[i]
			byRule := w.Rule == Selecting && len(w.Identity) > 0
			byStyle := style == WithIdentity && !v.workload()
			chosen := (byRule || byStyle) && !s.fixed && read(s.any) != "true" && read(v.asWritten) != state.SelectorsAsWritten && selectsIdentity(v, s, views, choices, read)
			switch {
			case style != "" && s.aim == atOwnPods:
				chosen = style == WithIdentity && !s.fixed
			case style != "" && !v.workload():
				chosen = chosen && style == WithIdentity
			}
			choices[n].selectors[i] = chosen
		}
	}
	return choices
}

// selectsIdentity reports whether a selector selects pods that carry the identity, and does not name by labels pods that
// carry none.
func selectsIdentity(of *view, s *selector, views []*view, choices []choice, read func(string) string) bool {
	if s.aim == atOwnPods {
		return s.selects(of.labels, read)
	}
	found := false
	for n, v := range views {
		if !s.aim.meets(v) || !s.selects(v.labels, read) {
			continue
		}
		carries := v.template == nil || choices[n].template
		if carries && !v.foreign {
			found = true
		} else if !s.empty() {
			return false
		}
	}
	return found
}

// A spot is a field of all objects of a kind that the identity may go into.
type spot struct{ group, version, kind, path string }

// assign says how the identity gets into the fields that were chosen.
func (w *Wrapper) assign(views []*view, choices []choice) (*Identity, error) {
	var spots []spot
	chosen, some := map[spot][]int{}, map[spot]bool{}
	paths := map[spot]map[int][][]string{}
	note := func(n int, path []string, yes bool) {
		v := views[n]
		at := spot{v.group, "", v.kind, fieldPath(path)}
		if v.group == "" {
			at.version = v.version
		}
		if paths[at] == nil {
			spots, paths[at] = append(spots, at), map[int][][]string{}
		}
		if !yes {
			some[at] = true
			return
		}
		chosen[at] = append(chosen[at], n)
		paths[at][n] = append(paths[at][n], path)
	}
	for n, v := range views {
		if v.template != nil {
			note(n, append(slices.Clone(v.template), "metadata", "labels"), choices[n].template)
		}
		for i, s := range v.selectors {
			note(n, s.path, choices[n].selectors[i])
		}
	}
	id := &Identity{pairs: w.Identity, Chosen: wordOf(choices)}
	patched := map[int][][]string{}
	for _, at := range spots {
		switch {
		case !some[at]:
			id.fields = append(id.fields, types.FieldSpec{
				Gvk: resid.Gvk{Group: at.group, Version: at.version, Kind: at.kind}, Path: at.path, CreateIfNotPresent: at.kind != "Service",
			})
		default:
			for n, list := range paths[at] {
				patched[n] = append(patched[n], list...)
			}
		}
	}
	return id, w.patch(id, patched, views, choices)
}

// wordOf tells choices from others.
func wordOf(choices []choice) string {
	word := []byte{}
	bit := func(yes bool) {
		if yes {
			word = append(word, 'y')
		} else {
			word = append(word, 'n')
		}
	}
	for _, c := range choices {
		bit(c.unscaled)
		bit(c.template)
		for _, s := range c.selectors {
			bit(s)
		}
	}
	return string(word)
}

// fieldPath is a path as Kustomize's field specifications have it, with [] for any index of a list.
func fieldPath(path []string) string {
	out := ""
	for _, step := range path {
		switch {
		case IsIndex(step):
			out += "[]"
		case out == "":
			out = step
		default:
			out += "/" + step
		}
	}
	return out
}

// targetOf selects an object by kind and name. An object that a patch cannot tell from another, because the core group has
// no name to ask for, or because Kustomize also goes by the name that the other one had before a component's prefix, keeps
// its selectors as they are written.
func targetOf(n int, views []*view, former *formerNames) (target types.Selector, alone bool) {
	v := views[n]
	alone = !slices.ContainsFunc(views, func(other *view) bool {
		sameGroup := v.group == "" || other.group == v.group
		return other != v && other.kind == v.kind && other.version == v.version && sameGroup && former.had(other.name, v.name)
	})
	return types.Selector{ResId: resid.ResId{
		Gvk: resid.Gvk{Group: v.group, Version: v.version, Kind: v.kind}, Name: regexp.QuoteMeta(v.name),
	}}, alone
}

// Of is the identity of another instance that goes to the same fields.
func (id *Identity) Of(pairs map[string]string) *Identity {
	other := *id
	other.pairs = pairs
	return &other
}

// Patched reports whether the identity gets into an object by a patch.
func (id *Identity) Patched(object int) bool {
	return slices.ContainsFunc(id.patches, func(p identityPatch) bool { return p.object == object })
}

// Apply makes the changes to objects that Kustomize makes with the printed wrapper.
func (id *Identity) Apply(m Objects) error {
	nodes := make([]*kyaml.RNode, m.Size())
	for n, r := range m.Resources() {
		nodes[n] = &r.RNode
	}
	for _, p := range id.patches {
		patch := patchjson6902.Filter{Patch: id.patch(p, nodes[p.object].YNode())}
		if _, err := patch.Filter(nodes[p.object : p.object+1]); err != nil {
			return fmt.Errorf("give %s its identity: %w", nodes[p.object].GetName(), err)
		}
	}
	if len(id.fields) == 0 {
		return nil
	}
	if _, err := (labels.Filter{Labels: id.pairs, FsSlice: id.fields}).Filter(nodes); err != nil {
		return fmt.Errorf("give an instance its identity: %w", err)
	}
	return nil
}

// addTo has a kustomization do the same. The objects are those that the identity was decided on.
func (id *Identity) addTo(k *types.Kustomization, m Objects) {
	if len(id.fields) > 0 {
		k.Labels = append(k.Labels, types.Label{Pairs: id.pairs, FieldSpecs: id.fields})
	}
	for _, p := range id.patches {
		target := p.target
		k.Patches = append(k.Patches, types.Patch{Target: &target, Patch: id.patch(p, m.Resources()[p.object].YNode())})
	}
}

// An operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// patch is a JSON patch of one object as text.
func (id *Identity) patch(p identityPatch, object *yaml.Node) string {
	var operations []operation
	if p.unscaled {
		operations = append(operations, operation{Op: "remove", Path: "/spec/replicas"})
	}
	for _, path := range p.paths {
		there := 0
		for n := object; there < len(path); there++ {
			if n = Lookup(n, path[there]); n == nil || isNull(n) {
				break
			}
		}
		if there < len(path) {
			var value any = id.pairs
			for _, step := range slices.Backward(path[there+1:]) {
				value = map[string]any{step: value}
			}
			operations = append(operations, operation{"add", pointer(path[:there+1]), value})
			continue
		}
		for _, key := range sortedKeys(id.pairs) {
			operations = append(operations, operation{"add", pointer(append(slices.Clone(path), key)), id.pairs[key]})
		}
	}
	text, err := k8syaml.Marshal(operations)
	if err != nil {
		panic(err) // of text and maps of text
	}
	return string(text)
}

func pointer(path []string) string {
	out := ""
	for _, step := range path {
		out += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
	}
	return out
}
