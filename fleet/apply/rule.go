package apply

import (
	"cmp"
	"fmt"
	"sync"

	"transom.dev/render/builtin"
	"transom.dev/render/expression"
	"transom.dev/render/state"
)

// healthRule is the rule that an object is assessed by: the version's own, else the one that is known of its kind; nil: none.
func (a assessment) healthRule(d *desired) *builtin.HealthRule {
	if own := a.healthEntry(d); own != nil {
		return &builtin.HealthRule{Applied: own.Applied, Failed: own.Failed, Healthy: own.Healthy}
	}
	return builtin.HealthOf(d.object.Group, d.object.Kind)
}

// evaluateRule evaluates the expressions of a rule. A value that is not there yet is progress; any other error of evaluation is a
// mistake of the version, which also has to say how objects of a known kind do that have another status than the documented one.
func (a assessment) evaluateRule(d *desired, r *builtin.HealthRule) (state.Health, string) {
	for _, one := range []struct {
		source string
		means  state.Health
	}{{r.Failed, state.Failed}, {r.Suspended, state.Suspended}, {r.Healthy, state.Healthy}} {
		if one.source == "" {
			continue
		}
		result, err := a.cluster.health.rules.eval(one.source, expression.Bool, d.live.body)
		switch yes, _ := result.(bool); {
		case expression.IsNoSuchKey(err):
		case err != nil && r.Document != "":
			d.fault = fmt.Sprintf("its status is none that %s describes (%v): add an entry under spec.health of the version", r.Document, err)
			return state.Unknown, d.fault
		case err != nil:
			d.fault = fmt.Sprintf("the version's health expression %q: %v", one.source, err)
			return state.Unknown, d.fault
		case yes && one.means == state.Healthy:
			return state.Healthy, ""
		case yes:
			return one.means, a.reason(d, r, "its status matches "+one.source)
		}
	}
	if r.Healthy == "" {
		return state.Healthy, ""
	}
	return state.Progressing, a.reason(d, r, "waiting for "+r.Healthy)
}

// reason is why an object is not healthy, in its controller's words where the rule says which those are.
func (a assessment) reason(d *desired, r *builtin.HealthRule, otherwise string) string {
	if r.Says == "" {
		return otherwise
	}
	result, _ := a.cluster.health.rules.eval(r.Says, expression.String, d.live.body) // words that are not there are no fault
	said, _ := result.(string)
	return cmp.Or(said, otherwise)
}

// rules are compiled health expressions by their source.
type rules struct{ bySource sync.Map }

// eval compiles an expression once, and evaluates it for an object.
func (r *rules) eval(source string, want *expression.Type, object map[string]any) (any, error) {
	rule, ok := r.bySource.Load(source)
	if !ok {
		compiled, err := expression.Compile(source, expression.ObjectScope(), want)
		if err != nil {
			return nil, err
		}
		rule, _ = r.bySource.LoadOrStore(source, compiled)
	}
	return rule.(*expression.Expression).Eval(object)
}
