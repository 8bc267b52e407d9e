package apply

import (
	"fmt"

	"transom.dev/render/platform"
)

// read decodes the manifests and holds them to the rules that the applier itself vouches for, whatever wrote the state file:
// every object carries its owner's labels, and nothing lies outside the instance's namespace. It says whether there
// is anything to go on with.
func (p *pass) read() bool {
	if !p.in.Absent {
		p.objects = p.decode("manifests", p.in.Manifests)
		if len(p.objects) == 0 && len(p.problems) == 0 {
			p.refuse("the state file holds no object; nothing is applied or pruned. " +
				"To remove the instance, remove its request")
		}
		if p.in.Scope != platform.ClusterScoped {
			p.around = p.decode("namespace file", p.in.NamespaceManifest)
			p.requireNamespace()
		}
	}
	for _, d := range p.around {
		p.admit(d, Owner{Environment: p.in.Environment, Team: p.in.Team})
	}
	for _, d := range p.objects {
		p.admit(d, p.in.Owner)
	}
	p.refuseDuplicates()
	p.findScaled()
	return len(p.problems) == 0
}

func (p *pass) refuse(format string, args ...any) {
	p.problems = append(p.problems, Problem{Message: fmt.Sprintf(format, args...)})
}

func (p *pass) decode(what string, manifests []byte) []*desired {
	all, err := decode(manifests)
	if err != nil {
		p.refuse("the %s of the state repository cannot be read: %v", what, err)
	}
	for _, d := range all {
		if p.in.External && d.signed != "" {
			d.digest = d.signed
		}
	}
	return all
}

func (p *pass) requireNamespace() {
	for _, d := range p.around {
		if d.isNamespace() && d.object.Name == p.in.Namespace {
			return
		}
	}
	if len(p.problems) == 0 {
		p.refuse("the state repository has no Namespace %q for team %s; without it nothing may be written there",
			p.in.Namespace, p.in.Team)
	}
}

func (d *desired) isNamespace() bool { return d.object.Group == "" && d.object.Kind == "Namespace" }

// admit says why an object may not be applied for an owner. Whether a kind is namespaced only the cluster knows;
// place checks that.
func (p *pass) admit(d *desired, owner Owner) {
	labels, unordered := d.labels(), d.readOrder(owner)
	switch {
	case !owner.carries(labels) || labels[managedByLabel] != manager:
		d.fault = fmt.Sprintf("it must carry the labels %s=%s, %s=%s, %s=%s and %s=%s; render it anew", managedByLabel, manager,
			environmentLabel, owner.Environment, teamLabel, owner.Team, requestLabel, owner.Request)
	case unordered != "":
		d.fault = unordered
	case d.annotation(generateAnnotation) != "" && d.annotation(generateAnnotation) != "password":
		d.fault = fmt.Sprintf("%s: %q is not known; use \"password\"", generateAnnotation, d.annotation(generateAnnotation))
	case d.keys != nil && (d.content["data"] != nil || d.content["stringData"] != nil):
		d.fault = "a generated Secret must not bring data of its own; remove data and stringData"
	case expiringJob(d):
		d.fault = "spec.ttlSecondsAfterFinished removes the Job, which would then run again and again; remove the field"
	}
}

// expiringJob recognises a Job that the cluster removes once it is done: being gone, it would be applied anew.
func expiringJob(d *desired) bool {
	spec, _ := d.content["spec"].(map[string]any)
	return d.object.Group == "batch" && d.object.Kind == "Job" && spec["ttlSecondsAfterFinished"] != nil
}

// place checks where an object lies, once the cluster said whether its kind is namespaced.
func (p *pass) place(d *desired, around bool) {
	switch {
	case p.in.Scope == platform.ClusterScoped && d.kind.namespaced && d.object.Namespace == "":
		d.fault = "it is namespaced and names no namespace; add metadata.namespace"
	case p.in.Scope == platform.ClusterScoped && !d.kind.namespaced && d.object.Namespace != "":
		d.fault = "its kind is cluster-scoped; remove metadata.namespace"
	case p.in.Scope == platform.ClusterScoped:
	case around && d.isNamespace() && d.object.Name == p.in.Namespace:
	case !d.kind.namespaced:
		d.fault = "its kind is cluster-scoped; only a version with scope: cluster may bring it"
	case d.object.Namespace != p.in.Namespace:
		d.fault = fmt.Sprintf("it lies outside the instance's namespace %q", p.in.Namespace)
	}
}

func (p *pass) refuseDuplicates() {
	seen := map[Object]bool{}
	for _, d := range p.all() {
		if seen[d.object] && d.fault == "" {
			d.fault = "the state repository has it twice; render it anew"
		}
		seen[d.object] = true
	}
}
