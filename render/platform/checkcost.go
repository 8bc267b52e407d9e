package platform

import (
	"strings"

	"transom.dev/render/expression"
	"transom.dev/render/inquiry"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/schema"
)

// The steps that the checks of an environment may take in one pass together, in equal parts for its placements, and each besides; and
// how many one may take where there are few. A question of more bytes is asked nowhere.
const (
	askedTogether = int64(10_000_000)
	askedEach     = int64(500)
	askedMost     = int64(100_000)
	askedBytes    = int64(64 << 10)
)

func hasChecks(e *Environment) bool { return len(e.Gates.Checks)+len(e.Rollout.Checks) > 0 }

// costlyChecks warns of checks that cost more than they may for one release: the gate of a release that is new does not open, and nobody
// else's is slower for it.
func costlyChecks(p *Platform) {
	for _, name := range sortedKeys(p.Environments) {
		e := p.Environments[name]
		if e.Broken || !hasChecks(e) {
			continue
		}
		d := reopen(p.tree.environments[name])
		d.environment = name
		most, vars := p.CheckCost(name), exampleOfChecks(p, e)
		for i, c := range e.Gates.Checks {
			warnOfCost(d, fieldpath.Index("spec.gates.checks", i), c, vars, most, "let it do less, as a release that is new does not pass it")
		}
		for i, c := range e.Rollout.Checks {
			warnOfCost(d, fieldpath.Index("spec.rollout.checks", i), c, vars, most, "let it do less; releases that run may cost ten times as much")
		}
		p.Problems = append(p.Problems, d.problems...)
	}
}

// exampleOfChecks are the variables of checks for a release with names as long as they can be: values and labels are the environment's own.
func exampleOfChecks(p *Platform, e *Environment) map[string]any {
	long, digest := strings.Repeat("x", maxLabel), "sha256:"+strings.Repeat("0", 64)
	vars := map[string]any{
		"request":     map[string]any{"name": long, "team": long},
		"release":     map[string]any{"digest": digest, "offering": long, "version": "1.0.0"},
		"environment": map[string]any{"name": e.Name, "values": e.Values},
		"revision":    digest, "cluster": map[string]any{"name": long, "labels": map[string]string{}},
	}
	if clusters := p.Clusters; len(clusters) > 0 {
		most := map[string]string{}
		for _, name := range sortedKeys(clusters) {
			if c := clusters[name]; len(c.Labels) > len(most) {
				most = c.Labels
			}
		}
		vars["cluster"] = map[string]any{"name": long, "labels": most}
	}
	return vars
}

func warnOfCost(d *document, field string, c *inquiry.Check, vars map[string]any, most expression.Allowance, remedy string) {
	t := &expression.Tally{Most: most}
	if _, err := c.Fill(vars, t); err == nil || !t.Over() {
		return
	}
	if c.Prometheus != nil {
		field += ".prometheus.query"
	} else {
		field += ".url"
	}
	d.warn(field, schema.RuleTooMuchWork, "costs %s for one release, as much as a check may cost by how many releases and checks %s has; %s", most.Exceeded(t.Spent), d.environment, remedy)
}
