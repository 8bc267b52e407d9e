package kinds

import (
	"maps"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/schema"
)

// UnknownChoices lists the types of choices, and their fields, that the schema does not have.
func UnknownChoices() (unknown []string) {
	s := kindOf("v1", "Pod").schema
	all := map[string][]string{}
	for of, fields := range choices {
		all[of] = slices.Collect(maps.Keys(fields))
	}
	for of, fields := range ports {
		all[of] = append(all[of], fields...)
	}
	for of, fields := range all {
		i := slices.IndexFunc(s.Types, func(d schema.TypeDef) bool { return d.Name == of })
		if i < 0 {
			unknown = append(unknown, of)
			continue
		}
		for _, name := range fields {
			if _, ok := s.Types[i].Map.FindField(name); !ok {
				unknown = append(unknown, of+"."+name)
			}
		}
	}
	return unknown
}
