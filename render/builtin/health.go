package builtin

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"
)

// A HealthRule says how objects of a well-known custom kind do, by the status that its controller documents. Failed, Suspended
// and Healthy are CEL over the object, of which the first that is true counts; empty: it never does.
type HealthRule struct {
	Groups []string `json:"groups"` // "*.example.com": all groups below a domain
	Kinds  []string `json:"kinds"`  // "*": all kinds

	Applied   bool   `json:"applied"` // healthy once applied
	Failed    string `json:"failed"`
	Suspended string `json:"suspended"`
	Healthy   string `json:"healthy"`
	Says      string `json:"says"` // CEL for the reason of an object that is not healthy; empty: the rule is its reason

	Document string `json:"document"` // the address of the page that has the status
}

//go:embed health.yaml
var healthFile []byte

// HealthRules are all rules; the first for a kind counts.
var HealthRules = sync.OnceValue(func() (all []HealthRule) {
	if err := yaml.UnmarshalStrict(healthFile, &all); err != nil {
		panic("health.yaml: " + err.Error()) // cannot be: a test reads the file, too
	}
	return all
})

// HealthOf returns nil for a kind without a rule.
func HealthOf(group, kind string) *HealthRule {
	all := HealthRules()
	for i := range all {
		if slices.ContainsFunc(all[i].Groups, func(of string) bool { return below(of, group) }) &&
			(slices.Contains(all[i].Kinds, kind) || slices.Contains(all[i].Kinds, "*")) {
			return &all[i]
		}
	}
	return nil
}

// below says whether a group of a rule stands for a group.
func below(of, group string) bool {
	domain, wide := strings.CutPrefix(of, "*")
	return of == group || wide && strings.HasSuffix(group, domain)
}
