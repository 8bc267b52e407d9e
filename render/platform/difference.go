package platform

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is a field that a request sets otherwise than before. A side where it is not set is empty.
type Difference struct {
	Field  string `json:"field"` // such as parameters.image, as it stands in the request
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// String is the form FIELD: BEFORE → AFTER, with long values shortened where they are the same.
func (d Difference) String() string {
	before, after := abbreviate(d.Before, d.After)
	switch {
	case d.Before == "":
		return fmt.Sprintf("%s: %s", d.Field, after)
	case d.After == "":
		return fmt.Sprintf("%s: no longer %s", d.Field, before)
	default:
		return fmt.Sprintf("%s: %s → %s", d.Field, before, after)
	}
}

// Differences lists the parameters and bindings that two versions of a request set otherwise for an environment, sorted by
// field. Defaults are no part of it: they come with a version. Where one of the two is not there, nothing differs.
func Differences(environment string, before, after *RequestSpec) []Difference {
	if before == nil || after == nil {
		return nil
	}
	var list []Difference
	compare("", asked(environment, before), asked(environment, after), &list)
	slices.SortFunc(list, func(a, b Difference) int { return strings.Compare(a.Field, b.Field) })
	return list
}

// asked has the fields that a request sets for an environment.
func asked(environment string, spec *RequestSpec) map[string]any {
	own := spec.Environments[environment]
	bindings := map[string]any{}
	for _, from := range []map[string]string{spec.Bindings, own.Bindings} {
		for name, request := range from {
			bindings[name] = request
		}
	}
	return map[string]any{"parameters": mergePatch(spec.Parameters, own.Parameters), "bindings": bindings}
}

// compare goes down as far as both sides are objects.
func compare(field string, before, after any, list *[]Difference) {
	b, isMap := before.(map[string]any)
	a, areMaps := after.(map[string]any)
	if !isMap || !areMaps {
		if x, y := valueText(before), valueText(after); x != y {
			*list = append(*list, Difference{field, x, y})
		}
		return
	}
	keys := maps.Clone(b)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, a)
	for key := range keys {
		compare(strings.TrimPrefix(field+"."+key, "."), b[key], a[key], list)
	}
}

// valueText is a value in a line: a string as it is, everything else as JSON; an absent value is empty.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if v != "" && !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' }) {
			return v
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// telling is how long a value may be before it is shortened.
const telling = 48

// abbreviate leaves out the common beginning of two long values, up to a boundary such as the slash in an image's name, and
// the end of a text that is still too long.
func abbreviate(before, after string) (string, string) {
	if len(before) > telling || len(after) > telling {
		same := 0
		for same < min(len(before), len(after)) && before[same] == after[same] {
			same++
		}
		if cut := strings.LastIndexAny(before[:same], "/, ") + 1; cut > 0 {
			before, after = "…"+before[cut-1:], "…"+after[cut-1:]
		}
	}
	return clip(before), clip(after)
}

func clip(text string) string {
	if runes := []rune(text); len(runes) > telling {
		return string(runes[:telling-1]) + "…"
	}
	return text
}
