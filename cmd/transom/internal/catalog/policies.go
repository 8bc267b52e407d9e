package catalog

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

// Rules are all rules over rendered objects.
type Rules struct {
	Policies []Policy      `json:"policies"`
	BuiltIn  []BuiltInRule `json:"builtIn"`
}

// A Policy is a Policy file of the platform.
type Policy struct {
	Name         string       `json:"name"`
	File         string       `json:"file"`
	Action       string       `json:"action"`
	Environments []string     `json:"environments"` // empty: all
	Kinds        []string     `json:"kinds"`        // empty: all
	Offerings    []string     `json:"offerings"`    // empty: all
	Validations  []Validation `json:"validations"`
	Quotas       []Quota      `json:"quotas"`
}

// A Quota bounds the sum over the requests of a team, an offering or an environment.
type Quota struct {
	Each    string `json:"each"`
	Amount  string `json:"amount,omitempty"` // empty: each request counts as one
	Most    string `json:"most"`
	Message string `json:"message"`
}

// A Validation is an expression that is true for every object, and the message of a Problem where it does not.
type Validation struct {
	Expression string `json:"expression"`
	Message    string `json:"message"`
}

// A BuiltInRule is a rule that no Policy file can lift. Its name is the rule of the Problem.
type BuiltInRule struct {
	Rule string `json:"rule"`
	Says string `json:"says"`
}

// builtIn are the built-in rules, as people look them up.
var builtIn = []BuiltInRule{
	{"namespace", "an object of a namespaced version is in its instance's namespace; none is written there, each gets the team's"},
	{"namespace-object", "no version renders the Namespace; the environment gives each team its own"},
	{"cluster-scoped", "only a version with scope: cluster renders cluster-scoped objects"},
	{"unknown-kind", "the scope of every kind is known: from Kubernetes, from a CRD that the platform renders, or from the version's kinds"},
	{"foreign-subject", "a RoleBinding names ServiceAccounts of its own version only"},
	{"plaintext-secret", "no Secret carries values; it is generated in the cluster, given by the request in sealed form, or a reference such as ExternalSecret"},
	{"generate", "transom.dev/generate: password is on a Secret, with its keys in transom.dev/generate-keys"},
	{"sealed", "transom.dev/sealed is on one Secret of a version, with the keys whose values a request gives"},
	{"labels", "app.kubernetes.io/managed-by and transom.dev/{team,request,environment,offering} say who owns an object; rendering sets them"},
	{"name", "names are valid for their kind, and short enough once they are prefixed"},
	{"duplicate", "a version renders each object once"},
	{"collision", "two requests never write one object of one cluster"},
	{"shared-namespace", "a team has one namespace in each environment and cluster, and no other team's"},
	{"remote", "a kustomization names nothing remote"},
	{"escapes", "a kustomization reads files of its own version only"},
	{"refused-field", "a kustomization runs no plugin and generates no Secret"},
	{"version-changed", "a version that an environment runs does not change"},
	{"version-removed", "a version that an environment runs is not removed"},
}

// RulesOf lists the rules of a platform: its policies, sorted by name, and those that are built in.
func RulesOf(p *platform.Platform) Rules {
	all := Rules{Policies: []Policy{}, BuiltIn: builtIn}
	for _, name := range slices.Sorted(maps.Keys(p.Policies)) {
		policy := p.Policies[name]
		e := Policy{
			Name: name, File: policy.File, Action: policy.Action, Environments: append([]string{}, policy.Environments...),
			Kinds: []string{}, Offerings: append([]string{}, policy.Offerings...), Validations: []Validation{}, Quotas: []Quota{},
		}
		for _, q := range policy.Quotas {
			listed := Quota{Each: q.Each, Most: q.Most.String(), Message: q.Message}
			if q.Amount != nil {
				listed.Amount = q.Amount.Source
			}
			e.Quotas = append(e.Quotas, listed)
		}
		for _, v := range policy.Validations {
			e.Validations = append(e.Validations, Validation{v.Expression.Source, v.Message})
		}
		for _, k := range policy.Kinds {
			e.Kinds = append(e.Kinds, strings.TrimPrefix(k.Group+"/"+k.Kind, "/"))
		}
		all.Policies = append(all.Policies, e)
	}
	return all
}

// Text prints the rules for people.
func (r Rules) Text(w io.Writer, p terminal.Paint) {
	fmt.Fprintln(w, p.Bold("Policies of this platform"))
	for _, e := range r.Policies {
		of := orAll(e.Kinds, "kinds")
		if len(e.Quotas) > 0 {
			of = "requests of " + orAll(e.Offerings, "offerings")
		}
		fmt.Fprintf(w, "  %s  %s, in %s, for %s\n", e.Name, e.Action, orAll(e.Environments, "environments"), of)
		for _, q := range e.Quotas {
			counts := "each request counts as one"
			if q.Amount != "" {
				counts = "a request counts as " + strings.Join(strings.Fields(q.Amount), " ")
			}
			fmt.Fprintf(w, "    at most %s for each %s: %s\n    %s\n", q.Most, q.Each, q.Message, p.Faint(counts))
		}
		for _, v := range e.Validations {
			fmt.Fprintf(w, "    %s\n    %s\n", v.Message, p.Faint(strings.Join(strings.Fields(v.Expression), " ")))
		}
	}
	if len(r.Policies) == 0 {
		fmt.Fprintln(w, "  none: they would be in policies/")
	}
	fmt.Fprintf(w, "\n%s\n", p.Bold("Built in"))
	for _, rule := range r.BuiltIn {
		fmt.Fprintf(w, "  %s: %s\n", rule.Rule, rule.Says)
	}
}

// orAll joins names, or says that there are all of a noun.
func orAll(names []string, noun string) string {
	if len(names) == 0 {
		return "all " + noun
	}
	return strings.Join(names, ", ")
}
