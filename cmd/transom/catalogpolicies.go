package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

func newCatalogPolicies() *cobra.Command {
	var o struct {
		output output
		in     platformDir
	}
	cmd := &cobra.Command{
		Use:   "policies",
		Short: "Show the rules that everything rendered must keep",
		Long: `Show the rules that everything rendered must keep: the platform's own Policy files, and those that are built in.
What violates a rule whose action is deny is a Problem of that request; warn only shows.`,
		Example: `  transom catalog policies
  transom catalog policies -C ./platform -o json`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			all := policyList{Policies: policiesOf(p), BuiltIn: builtInRules}
			w := cmd.OutOrStdout()
			return o.output.print(w, all, func(w io.Writer) { all.text(w, terminal.PaintFor(w)) })
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	return cmd
}

// policyList is every rule over rendered objects.
type policyList struct {
	Policies []policyEntry `json:"policies"`
	BuiltIn  []builtInRule `json:"builtIn"`
}

type policyEntry struct {
	Name         string             `json:"name"`
	File         string             `json:"file"`
	Action       string             `json:"action"`
	Environments []string           `json:"environments"` // empty: all
	Kinds        []string           `json:"kinds"`        // empty: all
	Validations  []policyValidation `json:"validations"`
}

type policyValidation struct {
	Expression string `json:"expression"`
	Message    string `json:"message"`
}

// builtInRule is a rule that no Policy file can lift. Its name is the rule of the Problem.
type builtInRule struct {
	Rule string `json:"rule"`
	Says string `json:"says"`
}

var builtInRules = []builtInRule{
	{"namespace", "an object of a namespaced version is in its instance's namespace; none is written there, each gets the team's"},
	{"namespace-object", "no version renders the Namespace; the environment gives each team its own"},
	{"cluster-scoped", "only a version with scope: cluster renders cluster-scoped objects"},
	{"unknown-kind", "the scope of every kind is known: from Kubernetes, from a CRD that the platform renders, or from the version's kinds"},
	{"foreign-subject", "a RoleBinding names ServiceAccounts of its own version only"},
	{"plaintext-secret", "no Secret carries values; it is generated in the cluster, or a reference such as ExternalSecret"},
	{"generate", "transom.dev/generate: password is on a Secret, with its keys in transom.dev/generate-keys"},
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

func policiesOf(p *platform.Platform) []policyEntry {
	all := []policyEntry{}
	for _, name := range slices.Sorted(maps.Keys(p.Policies)) {
		policy := p.Policies[name]
		e := policyEntry{
			Name: name, File: policy.File, Action: policy.Action, Environments: append([]string{}, policy.Environments...),
			Kinds: []string{}, Validations: []policyValidation{},
		}
		for _, v := range policy.Validations {
			e.Validations = append(e.Validations, policyValidation{v.Expression.Source, v.Message})
		}
		for _, k := range policy.Kinds {
			e.Kinds = append(e.Kinds, strings.TrimPrefix(k.Group+"/"+k.Kind, "/"))
		}
		all = append(all, e)
	}
	return all
}

func (l policyList) text(w io.Writer, p terminal.Paint) {
	fmt.Fprintln(w, p.Bold("Policies of this platform"))
	for _, e := range l.Policies {
		fmt.Fprintf(w, "  %s  %s, in %s, for %s\n", e.Name, e.Action, orAll(e.Environments, "environments"), orAll(e.Kinds, "kinds"))
		for _, v := range e.Validations {
			fmt.Fprintf(w, "    %s\n    %s\n", v.Message, p.Faint(strings.Join(strings.Fields(v.Expression), " ")))
		}
	}
	if len(l.Policies) == 0 {
		fmt.Fprintln(w, "  none: they would be in policies/")
	}
	fmt.Fprintf(w, "\n%s\n", p.Bold("Built in"))
	for _, r := range l.BuiltIn {
		fmt.Fprintf(w, "  %s: %s\n", r.Rule, r.Says)
	}
}

func orAll(names []string, what string) string {
	if len(names) == 0 {
		return "all " + what
	}
	return strings.Join(names, ", ")
}
