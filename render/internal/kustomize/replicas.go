package kustomize

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/builtin"
)

// Replicas say which objects have no spec.replicas, because others fill it.
type Replicas struct {
	Unscaled     map[string]bool // kinds, as GROUP/KIND, beside the objects that a Scaler of the render names
	KeepReplicas bool            // all objects have theirs, as before the third renderer
}

// A scaling is a view of the fields that decide whether the replicas of an object are for others to set. Names are whole.
type scaling struct {
	group, kind, namespace, name string

	replicas bool // it has spec.replicas
	target   *builtin.ScaleTarget
}

func scalingOf(object *yaml.Node, v *view) scaling {
	s := scaling{
		group: v.group, kind: v.kind, namespace: textAt(object, "metadata", "namespace"), name: textAt(object, "metadata", "name"),
		replicas: Lookup(object, "spec", "replicas") != nil,
	}
	if scaler := builtin.ScalerOf(v.group, v.kind); scaler != nil {
		of := func(name string) string { return textAt(object, append(slices.Clone(scaler.Target), name)...) }
		s.target = &builtin.ScaleTarget{APIVersion: of("apiVersion"), Kind: of("kind"), Name: of("name")}
	}
	return s
}

// rewrite puts other texts into the fields that decide about an object, if anything scales, and none into the rest.
func (s *scaling) rewrite(by func(text string) string, scaling bool) {
	scales := s.replicas || s.target != nil
	if !scaling || !scales {
		s.name, s.namespace = "", ""
		return
	}
	s.name, s.namespace = by(s.name), by(s.namespace)
	if t := s.target; t != nil {
		t.APIVersion, t.Kind, t.Name = by(t.APIVersion), by(t.Kind), by(t.Name)
	}
}

// scaled says who scales each object whose replicas the render leaves to others: the index of a Scaler of the render, or -1
// for the version itself. The views' texts are taken as read returns them.
func (r Replicas) scaled(views []*view, read func(string) string) map[int]int {
	scaled := map[int]int{}
	for n, v := range views {
		if !v.scaling.replicas {
			continue
		}
		if r.Unscaled[v.id()] {
			scaled[n] = -1
		}
		for by, other := range views {
			if other.scaling.target != nil && other.scaling.scales(&v.scaling, read) {
				scaled[n] = by
			}
		}
	}
	return scaled
}

func (s *scaling) scales(of *scaling, read func(string) string) bool {
	t := builtin.ScaleTarget{APIVersion: read(s.target.APIVersion), Kind: read(s.target.Kind), Name: read(s.target.Name)}
	return read(s.namespace) == read(of.namespace) && t.Names(of.group, of.kind, read(of.name))
}

// patch says which objects are patched: those that get the identity at these paths, and those that lose their replicas.
func (w *Wrapper) patch(id *Identity, paths map[int][][]string, views []*view, choices []choice) error {
	for n, c := range choices {
		if _, there := paths[n]; c.unscaled && !there {
			paths[n] = nil // it gets nothing
		}
	}
	if len(paths) == 0 {
		return nil
	}
	affixes, err := affixes(w.Trees)
	if err != nil {
		return err
	}
	former := newFormerNames(affixes)
	for _, n := range sortedKeys(paths) {
		if target, alone := targetOf(n, views, former); alone {
			id.patches = append(id.patches, identityPatch{object: n, target: target, paths: paths[n], unscaled: choices[n].unscaled})
		}
	}
	return nil
}

// A Scaled is an object whose replicas are for others to set.
type Scaled struct {
	Object int    // its index among the objects
	By     string // KIND NAME of the object that scales it; empty: the version leaves its replicas to others
}

// Scaled finds the built objects whose replicas are for others to set: those that have none any more.
func (r Replicas) Scaled(objects []*yaml.Node) (all []Scaled) {
	if r.KeepReplicas {
		return nil
	}
	views := make([]*view, len(objects))
	for n, object := range objects {
		object = whole(object)
		views[n] = &view{kind: textAt(object, "kind")}
		views[n].group, views[n].version = groupVersion(object)
		views[n].scaling = scalingOf(object, views[n])
		views[n].scaling.replicas = !views[n].scaling.replicas
	}
	for n, by := range r.scaled(views, asIs) {
		s := Scaled{Object: n}
		if by >= 0 {
			s.By = views[by].kind + " " + views[by].scaling.name
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Scaled) int { return a.Object - b.Object })
	return all
}

// scales reports whether a view is of something that scales others.
func scales(v *view) bool { return v.scaling.target != nil }
