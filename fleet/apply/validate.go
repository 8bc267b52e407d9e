package apply

import (
	"fmt"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// readManifests decodes the manifests and checks the rules that the applier itself guarantees, independent of the writer of the state file:
// every object carries its owner's labels, and nothing lies outside the instance's namespace. It says whether there
// is anything to go on with.
func (t *target) readManifests() bool {
	if !t.in.Absent {
		t.objects = t.decode("manifests", t.in.Manifests)
		if len(t.objects) == 0 && len(t.problems) == 0 {
			t.refuse("the state file holds no object; nothing is applied or pruned. " +
				"To remove the instance, remove its request")
		}
		if t.in.Scope != platform.ClusterScoped {
			t.teamObjects = t.decode("namespace file", t.in.NamespaceManifest)
			t.requireNamespace()
		}
	}
	for _, d := range t.teamObjects {
		t.checkManifest(d, Owner{Environment: t.in.Environment, Team: t.in.Team})
	}
	for _, d := range t.objects {
		t.checkManifest(d, t.in.Owner)
	}
	t.refuseDuplicates()
	t.findScaled()
	return len(t.problems) == 0
}

// decode reads the objects of one file. Where another agent applies them, their digest is the one that they carry.
func (t *target) decode(file string, manifests []byte) []*desired {
	decoded, err := t.cluster.shared.decode(manifests)
	if err != nil {
		t.refuse("the %s of the state repository cannot be read: %v", file, err)
	}
	var all []*desired
	for _, m := range decoded {
		if t.in.External && m.signed != "" {
			m.digest = m.signed
		}
		all = append(all, &desired{manifest: m})
	}
	return all
}

// requireNamespace refuses a namespace file without the team's Namespace.
func (t *target) requireNamespace() {
	for _, d := range t.teamObjects {
		if d.isNamespace() && d.object.Name == t.in.Namespace {
			return
		}
	}
	if len(t.problems) == 0 {
		t.refuse("the state repository has no Namespace %q for team %s; without it nothing may be written there",
			t.in.Namespace, t.in.Team)
	}
}

func (m *manifest) isNamespace() bool { return m.object.Group == "" && m.object.Kind == "Namespace" }

// checkManifest says why an object may not be applied for an owner. Whether a kind is namespaced only the cluster knows;
// checkScope checks that.
func (t *target) checkManifest(d *desired, owner Owner) {
	labels, unordered := d.labels, d.readOrder(owner)
	switch {
	case !owner.carries(labels) || labels[state.LabelManagedBy] != manager:
		d.fault = fmt.Sprintf("it must carry the labels %s=%s, %s=%s, %s=%s and %s=%s; render it anew", state.LabelManagedBy, manager,
			state.LabelEnvironment, owner.Environment, state.LabelTeam, owner.Team, state.LabelRequest, owner.Request)
	case unordered != "":
		d.fault = unordered
	case d.annotation(state.AnnotationGenerate) != "" && d.annotation(state.AnnotationGenerate) != "password":
		d.fault = fmt.Sprintf("%s: %q is not known; use \"password\"", state.AnnotationGenerate, d.annotation(state.AnnotationGenerate))
	case d.keys != nil && d.hasData():
		d.fault = "a generated Secret must not bring data of its own; remove data and stringData"
	case d.unsealed() != "":
		d.fault = d.unsealed()
	case expiringJob(d):
		d.fault = "spec.ttlSecondsAfterFinished removes the Job, which would then run again and again; remove the field"
	}
}

// hasData says whether the manifest of a Secret has values.
func (m *manifest) hasData() bool { return m.content["data"] != nil || m.content["stringData"] != nil }

// expiringJob recognises a Job that the cluster removes once it is done: being gone, it would be applied anew.
func expiringJob(d *desired) bool {
	spec, _ := d.content["spec"].(map[string]any)
	return d.object.Group == "batch" && d.object.Kind == "Job" && spec["ttlSecondsAfterFinished"] != nil
}

// checkScope checks where an object lies, once the cluster said whether its kind is namespaced.
func (t *target) checkScope(d *desired, ofTeam bool) {
	switch {
	case t.in.Scope == platform.ClusterScoped && d.kind.namespaced && d.object.Namespace == "":
		d.fault = "it is namespaced and names no namespace; add metadata.namespace"
	case t.in.Scope == platform.ClusterScoped && !d.kind.namespaced && d.object.Namespace != "":
		d.fault = "its kind is cluster-scoped; remove metadata.namespace"
	case t.in.Scope == platform.ClusterScoped:
	case ofTeam && d.isNamespace() && d.object.Name == t.in.Namespace:
	case !d.kind.namespaced:
		d.fault = "its kind is cluster-scoped; only a version with scope: cluster may bring it"
	case d.object.Namespace != t.in.Namespace:
		d.fault = fmt.Sprintf("it lies outside the instance's namespace %q", t.in.Namespace)
	}
}

// refuseDuplicates refuses the second manifest of an object.
func (t *target) refuseDuplicates() {
	seen := map[Object]bool{}
	for _, d := range t.all() {
		if seen[d.object] && d.fault == "" {
			d.fault = "the state repository has it twice; render it anew"
		}
		seen[d.object] = true
	}
}
