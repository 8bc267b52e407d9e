package helm

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// dialects are the meta-schemas that the validator has itself; it would read any other.
var dialects = regexp.MustCompile(`^https?://json-schema\.org/(schema|draft-0[467]/schema|draft/2019-09/schema|draft/2020-12/schema)#?$`)

// selfContained refuses a schema for which the validator would read a file or an address.
func selfContained(text []byte) error {
	var schema any
	if json.Unmarshal(text, &schema) != nil {
		return nil // the validator says why
	}
	if elsewhere := outside(schema); elsewhere != "" {
		return fmt.Errorf("values.schema.json: it refers to %s, and nothing outside of the chart is read; copy that into $defs", elsewhere)
	}
	return nil
}

// outside is the first reference of a schema to something that is not in it; empty: there is none.
func outside(schema any) string {
	switch schema := schema.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(schema)) {
			at, isText := schema[key].(string)
			switch key {
			case "$ref", "$dynamicRef", "$recursiveRef":
				if isText && at != "" && !strings.HasPrefix(at, "#") {
					return at
				}
			case "$schema":
				if isText && !dialects.MatchString(at) {
					return at
				}
			}
			if found := outside(schema[key]); found != "" {
				return found
			}
		}
	case []any:
		for _, item := range schema {
			if found := outside(item); found != "" {
				return found
			}
		}
	}
	return ""
}
