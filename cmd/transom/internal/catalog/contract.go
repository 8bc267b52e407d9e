package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// contractChanges compares the declarations of two versions.
func contractChanges(from, to *platform.Version) []Contract {
	all := []Contract{}
	old, now := declarations(from), declarations(to)
	for _, what := range []string{"parameter", "computed", "component", "binding", "output", "setting"} {
		names := map[string]bool{}
		for _, side := range []map[string]string{old[what], now[what]} {
			for name := range side {
				names[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			a, had := old[what][name]
			b, has := now[what][name]
			switch {
			case !had:
				all = append(all, Contract{what, name, preview.Added, "", b})
			case !has:
				all = append(all, Contract{what, name, preview.Removed, a, ""})
			case a != b:
				all = append(all, Contract{what, name, preview.Changed, a, b})
			}
		}
	}
	return all
}

// declarations puts the declarations of a version into words, by kind and name.
func declarations(v *platform.Version) map[string]map[string]string {
	all := map[string]map[string]string{
		"parameter": {}, "computed": {}, "component": {}, "binding": {}, "output": {},
		"setting": {"scope": string(v.Scope), "names": string(v.Names), "reversible": fmt.Sprint(v.Reversible)},
	}
	parameters, rules := schema.Parameters(v)
	for _, p := range parameters {
		facts := []string{p.Type}
		switch {
		case p.Required:
			facts = append(facts, "required")
		case p.Default != nil:
			facts = append(facts, "default "+yamledit.Inline(p.Default, true))
		}
		all["parameter"][p.Name] = strings.Join(append(facts, p.Constraints...), ", ")
	}
	for _, rule := range rules {
		all["parameter"]["(rule) "+rule] = "over several parameters"
	}
	for _, e := range v.Computed {
		all["computed"][e.Name] = e.Source
	}
	for _, c := range v.Components {
		all["component"][c.Path] = "always"
		if c.When != nil {
			all["component"][c.Path] = "when " + c.When.Source
		}
	}
	for name, b := range v.Bindings {
		all["binding"][name] = fmt.Sprintf("of %s, required: %v", strings.Join(b.Offerings, " or "), b.Required)
	}
	for _, e := range v.Outputs {
		all["output"][e.Name] = e.Source
	}
	for _, o := range v.Observed {
		all["output"][o.Name] = strings.TrimSpace(fmt.Sprintf("%s %s from %s", o.Type, o.Pattern, o))
	}
	if v.Placement != nil {
		all["setting"]["placement"] = v.Placement.String()
	}
	return all
}
