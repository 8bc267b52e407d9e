package render

import (
	"maps"
	"reflect"
	"slices"
	"weak"

	"transom.dev/render/expression"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// An evaluation is the result of an instance before anything is built: its inputs and render key for each cluster. It
// depends on nothing but the instance and the outputs it is bound to, so it is kept for as long as a reload of the platform
// keeps the one and a pass finds the same of the other.
type evaluation struct {
	instance   *platform.Instance
	bindings   given
	cost       cost        // of the expressions of each placement
	hooks      hooks       // as hooksOf
	placements []evaluated // sorted by cluster
	outputs    map[string]any
	problems   []platform.Problem

	// recorded is the base's record that was found to be the instance's own, with nothing to change. It is not kept in memory for that: where
	// a rollout goes on, another record takes its place while nothing is rendered.
	recorded weak.Pointer[state.Release]

	built  []*placement // of a release that was not admitted, so that it is not built in every pass
	judged *judgement
}

type evaluated struct {
	cluster   *platform.Cluster
	inputs    platform.Inputs
	most      expression.Allowance // of the expressions that are evaluated to build it
	key       string
	valueKey  string // as state.Placement.ValueKey
	urgentKey string // as state.Placement.UrgentKey
	namespace string // empty for a cluster-scoped version
	hooks     hooks  // as hooksOf
}

// evaluate computes an instance's inputs on every cluster that it can be rendered for, after the record that its environment has.
// Where they have too much to do the evaluation ends.
func evaluate(i *platform.Instance, bindings given, base *state.Release, all shares) *evaluation {
	e := &evaluation{instance: i, bindings: bindings, hooks: hooksOf(i, base), cost: cost{most: all.of(i, base)}}
	for _, cluster := range i.Clusters {
		if cluster.Broken {
			continue
		}
		spent := &expression.Tally{Most: e.cost.most}
		inputs, problems := i.InputsWithin(cluster, bindings.on(cluster.Name), spent)
		e.cost.add(spent)
		if len(problems) > 0 {
			e.problems = append(e.problems, problems...)
			continue
		}
		e.warn(i.Costly(spent, all.anew(i)))
		if len(e.placements) == 0 {
			spent = &expression.Tally{Most: e.cost.most}
			e.outputs, problems = i.Outputs(inputs, spent)
			e.cost.add(spent)
			e.problems = append(e.problems, problems...)
			e.warn(i.Costly(spent, all.anew(i)))
		}
		placed := evaluated{cluster: cluster, inputs: inputs, most: e.cost.most, key: renderKey(i, inputs, e.hooks), hooks: e.hooks}
		placed.valueKey, placed.urgentKey = e.keyWithout(bindings.observed, inputs), e.keyWithout(bindings.urgent, inputs)
		if i.Version.Scope != platform.ClusterScoped {
			placed.namespace = inputs.Namespace
		}
		e.placements = append(e.placements, placed)
	}
	return e
}

// keyWithout is the render key of a placement without the values of some outputs by binding, and without those that are computed: these
// depend on nothing but the version and the other inputs. It is empty where there are no such outputs.
func (e *evaluation) keyWithout(outputs map[string][]string, in platform.Inputs) string {
	if len(outputs) == 0 {
		return ""
	}
	others := maps.Clone(in.Bindings)
	for binding, names := range outputs {
		values := maps.Clone(others[binding])
		for _, name := range names {
			delete(values, name)
		}
		others[binding] = values
	}
	in.Bindings, in.Computed = others, nil
	return renderKey(e.instance, in, e.hooks)
}

// warn adds a Warning of an evaluation that came to its end.
func (e *evaluation) warn(p *platform.Problem) {
	if p != nil && len(e.problems) == 0 {
		e.problems = append(e.problems, *p)
		e.cost.told = true
	}
}

// sharing returns the evaluation with another allowance for each placement, which its expressions stay within.
func (e *evaluation) sharing(most expression.Allowance) *evaluation {
	if e.cost.most == most {
		return e
	}
	other := *e
	other.cost.most, other.placements = most, slices.Clone(e.placements)
	for n := range other.placements {
		other.placements[n].most = most
	}
	return &other
}

// fits reports whether an evaluation is that of an instance with these outputs, after the record that its environment has.
func (e *evaluation) fits(bindings given, base *state.Release, all shares) bool {
	return e != nil && e.hooks == hooksOf(e.instance, base) && e.cost.fits(e.instance, base, all) && reflect.DeepEqual(e.bindings, bindings)
}

// Hooks are those of a chart that are in the objects of an instance.
type hooks string

const (
	upgradeHooks hooks = ""             // and those of a chart without any
	firstHooks   hooks = "first"        // of an installation: the release is the first one of the instance in its environment
	retriedHooks hooks = "first, again" // the same, after a release with them that was never healthy
)

// hooksOf says which hooks an instance has after the record that its environment has. A release that never was healthy has not
// installed what its hooks are for, so the next one has them again.
func hooksOf(i *platform.Instance, base *state.Release) hooks {
	switch {
	case i.Version.Chart == nil || !i.Version.Chart.Hooks:
		return upgradeHooks
	case base == nil, base.Absent:
		return firstHooks
	case base.Installed == i.Release && !base.InstalledAgain:
		return firstHooks
	case base.Installed == i.Release, neverInstalled(base):
		return retriedHooks
	}
	return upgradeHooks
}

// neverInstalled reports whether an instance still runs the release that its chart's installation was to come with, and neither this
// one nor any other was healthy in all waves.
func neverInstalled(r *state.Release) bool {
	healthy := r.Promotion.Rollout == nil || len(r.Promotion.Ran) > 0
	return r.Installed != "" && r.Installed == r.Digest && !healthy
}

// renderKey is the digest of all that a placement's bytes depend on. The version's digest covers its version.yaml,
// and with it the condition of every component.
func renderKey(i *platform.Instance, in platform.Inputs, h hooks) string {
	overlays := []string{}
	for _, overlay := range i.Environment.Overlays {
		overlays = append(overlays, overlay.Digest)
	}
	depends := map[string]any{
		"inputs":   in.Map(),
		"offering": i.Offering.Name,
		"version":  i.Version.Digest,
		"overlays": overlays,
	}
	if i.Environment.External {
		depends["signed"] = true
	}
	if i.Environment.Drift == state.DriftStrict {
		depends["drift"] = state.DriftStrict
	}
	if i.Version.Chart != nil {
		depends["kubernetes"] = i.Environment.Kubernetes
	}
	if i.Sealed != nil {
		depends["sealed"] = i.Sealed.For + i.Sealed.ValuesText() + i.Sealed.BlockText()
	}
	if secrets := i.Environment.PullSecrets; len(secrets) > 0 && i.Version.Scope != platform.ClusterScoped {
		depends["pullSecrets"] = pullSecretsKey(secrets)
	}
	switch h {
	case firstHooks:
		depends["first"] = true
	case retriedHooks:
		depends["first"] = "again"
	}
	return platform.Digest(depends)
}
