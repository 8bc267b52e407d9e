package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// bound returns the outputs that a candidate is given, by the name of the binding: of the releases that the environment
// runs after this pass. Where there is none yet the candidate waits.
func (a *admission) bound(c *candidate) (given, []platform.Problem) {
	return running{a.platform, a.environment.Name, a.outputs, a.hasProblem}.bound(c.instance)
}

// evaluateAlone evaluates a candidate and its providers, and nothing else.
func (a *admission) evaluateAlone(c *candidate) []platform.Problem {
	if c.evaluation != nil {
		return c.evaluation.problems
	}
	for _, provider := range c.instance.Bindings {
		if of := a.byKey[provider]; of != nil {
			of.add(a.evaluateAlone(of)...)
		}
	}
	bound, waiting := a.bound(c)
	if len(waiting) > 0 {
		return waiting
	}
	c.evaluation = evaluate(c.instance, bound, c.base, a.shares)
	return c.evaluation.problems
}

// running are the releases that an environment runs, as far as consumers need to know of them.
type running struct {
	platform    *platform.Platform
	environment string
	outputs     func(platform.RequestKey) (outputs, bool)
	hasProblem  func(platform.RequestKey) bool // nil: nobody knows
}

func (r running) bound(i *platform.Instance) (given, []platform.Problem) {
	var problems []platform.Problem
	wait := func(binding, format string, args ...any) {
		problem := r.platform.At(i, i.BindingField(binding))
		problem.Rule, problem.Message = "binding", fmt.Sprintf(format, args...)
		problems = append(problems, problem)
	}
	out := given{computed: make(map[string]map[string]any, len(i.Bindings))}
	for _, name := range slices.Sorted(maps.Keys(i.Bindings)) {
		key := i.Bindings[name]
		outputs, runs := r.outputs(key)
		switch cluster, lacks := lacking(i, name, outputs); {
		case !runs && r.hasProblem != nil && r.hasProblem(key):
			wait(name, "waits for %s, which has a Problem and does not run in %s yet", key, r.environment)
		case !runs:
			wait(name, "waits for %s, which does not run in %s yet", key, r.environment)
		case len(lacks) > 0 && outputs.observe(lacks[0]):
			wait(name, "waits for %s: it has told no %s on %s yet", key, lacks[0], cluster)
		case len(lacks) > 0:
			wait(name, "waits for %s: what %s runs of it has no output %s", key, r.environment, strings.Join(lacks, ", "))
		default:
			out.add(i, name, outputs)
		}
	}
	return out, problems
}

// lacking names the outputs that an instance reads of a binding and is not given, on the first cluster where that is so.
func lacking(i *platform.Instance, binding string, o outputs) (cluster string, names []string) {
	if len(i.Clusters) == 0 || len(o.observes) == 0 {
		return "", i.Lacks(binding, o.computed)
	}
	for _, c := range i.Clusters {
		if names = i.Lacks(binding, o.on(c.Name)); len(names) > 0 {
			return c.Name, names
		}
	}
	return "", nil
}

// outputs returns the outputs of the release of a request that the environment runs after this pass.
func (a *admission) outputs(k platform.RequestKey) (outputs, bool) {
	if restored := a.restored(k); restored != nil {
		return outputsOf(restored), !restored.Absent
	}
	if answer, answered := a.answer(k); answered {
		if answer == nil || answer.Absent {
			return outputs{}, false
		}
		return outputsOf(answer), true
	}
	release := a.recordOf(k)
	if release == nil {
		release = a.direction.Made[k]
	}
	if e := a.evaluationOf(k); e != nil && len(e.placements) > 0 {
		told := outputs{computed: e.outputs, observes: e.instance.Version.Observed}
		if release != nil && !release.Absent {
			told.observed = release.Observed
		}
		if a.direction.Examples {
			told.examples = e.instance.Version.Examples
		}
		return told, true
	}
	if release = a.recordOf(k); release != nil && !release.Absent {
		return outputsOf(release), true
	}
	return outputs{}, false
}

// outdated reports whether a fault that was found after a build, or a refused admission, changes the inputs that others were
// built with.
func (a *admission) outdated() bool {
	rebound, more := a.rebind(), a.keepNeeded()
	return rebound || more
}

// rebind prepares anew the candidates that were given outputs which their providers no longer have, and reports whether
// there was any.
func (a *admission) rebind() (again bool) {
	a.arrange() // with those that were visited since
	again = slices.ContainsFunc(a.candidates, func(c *candidate) bool { return !c.prepared && !c.broken() })
	for _, level := range a.levels[min(1, len(a.levels)):] {
		for _, c := range level {
			answer, answered := a.answer(c.key())
			stays := answered && answer == c.base && c.keepsRelease() // another release may be of the bytes that run, with other outputs
			if stays || c.broken() || !c.prepared {
				continue
			}
			if bound, _ := a.bound(c); !reflect.DeepEqual(bound, c.evaluation.bindings) {
				*c = candidate{instance: c.instance, base: c.base}
				delete(a.answers, c.key())
				again = true
			}
		}
	}
	return again
}

// keepNeeded finds the requests that are gone while something that stays is bound to them, and reports whether there are more
// than before: a provider is removed only after its consumers moved off.
func (a *admission) keepNeeded() (more bool) {
	if len(a.orphans) == 0 {
		return false
	}
	bound := a.consumersAfter()
	before := len(a.needed)
	for grown := true; grown; {
		grown = false
		for _, provider := range a.orphans {
			if a.kept(provider) {
				continue
			}
			for _, k := range bound[provider] {
				if !a.goes(k) && !slices.Contains(a.needed[provider], k) {
					a.needed[provider] = append(a.needed[provider], k)
					grown = true
				}
			}
		}
	}
	return len(a.needed) > before
}

// goes reports whether a request is removed by this pass, from every cluster.
func (a *admission) goes(k platform.RequestKey) bool {
	_, orphan := slices.BinarySearchFunc(a.orphans, k, platform.RequestKey.Compare)
	if !orphan || a.stays(k) {
		return false
	}
	answer, answered := a.answer(k)
	return !answered || !hasContent(answer)
}

// consumersAfter are the requests, by the providers that they are bound to if they stay.
func (a *admission) consumersAfter() map[platform.RequestKey][]platform.RequestKey {
	bound := map[platform.RequestKey][]platform.RequestKey{}
	add := func(k platform.RequestKey, bindings map[string]platform.RequestKey) {
		for _, provider := range bindings {
			bound[provider] = append(bound[provider], k)
		}
	}
	for _, c := range a.candidates {
		answer, answered := a.answer(c.key())
		if !c.broken() && !answered {
			add(c.key(), c.instance.Bindings)
			continue
		}
		if answered && answer != nil {
			add(c.key(), answer.Bindings(a.environment.Name))
		}
		moves := answered && isWhole(c.next, answer)
		if c.base != nil && !moves {
			add(c.key(), c.base.Bindings(a.environment.Name))
		}
	}
	for k := range a.direction.Restore {
		add(k, a.restored(k).Bindings(a.environment.Name))
	}
	for _, provider := range a.orphans {
		for k := range a.index.consumers[provider] {
			if a.byKey[k] == nil && a.restored(k) == nil {
				bound[provider] = append(bound[provider], k)
			}
		}
	}
	return bound
}

// neededProblem says of a request that is gone why it stays.
func (a *admission) neededProblem(k platform.RequestKey) platform.Problem {
	var consumers []string
	for _, consumer := range slices.SortedFunc(slices.Values(a.needed[k]), platform.RequestKey.Compare) {
		consumers = append(consumers, consumer.String())
	}
	return platform.Problem{
		File: a.recordOf(k).File, Rule: "bound", Environment: a.environment.Name, Request: &k,
		Message: fmt.Sprintf("is not removed from %s while %s runs there and is bound to it; bind that to another request or remove it too",
			a.environment.Name, strings.Join(consumers, ", ")),
	}
}
