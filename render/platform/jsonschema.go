package platform

import (
	"maps"
	"reflect"
	"slices"

	"transom.dev/render/decision"
	"transom.dev/render/strictyaml"
)

// objects has the type that each kind of a platform repository is decoded into.
var objects = map[string]reflect.Type{
	"Offering":                reflect.TypeFor[object[offeringSpec]](),
	"Version":                 reflect.TypeFor[object[versionSpec]](),
	"Request":                 reflect.TypeFor[object[RequestSpec]](),
	"Environment":             reflect.TypeFor[object[environmentSpec]](),
	"Cluster":                 reflect.TypeFor[object[clusterSpec]](),
	"Notification":            reflect.TypeFor[object[notificationSpec]](),
	"Policy":                  reflect.TypeFor[object[policySpec]](),
	string(decision.Approval): reflect.TypeFor[object[decisionSpec]](),
	string(decision.Hold):     reflect.TypeFor[object[decisionSpec]](),
	string(decision.Pin):      reflect.TypeFor[object[decisionSpec]](),
	string(decision.Override): reflect.TypeFor[object[decisionSpec]](),
}

// Kinds lists the kinds that people write, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(objects)) }

// JSONSchema returns the shape of a kind's files as a JSON Schema (draft 7), made of the types that they are decoded
// into, or nil for an unknown kind. It says less than Load does: the meaning of a value, only Load knows.
func JSONSchema(kind string) map[string]any {
	t, known := objects[kind]
	if !known {
		return nil
	}
	out := strictyaml.JSONSchema(t, kind, descriptions, displayMark(nil))
	properties := out["properties"].(map[string]any)
	properties["apiVersion"] = map[string]any{"type": "string", "enum": []any{APIVersion}}
	properties["kind"] = map[string]any{"type": "string", "enum": []any{kind}}
	if fields, isDecision := decisions[decision.Kind(kind)]; isDecision {
		spec := properties["spec"].(map[string]any)["properties"].(map[string]any)
		maps.DeleteFunc(spec, func(name string, _ any) bool { return !slices.Contains(fields, name) })
	}
	if kind == "Environment" {
		gates := properties["spec"].(map[string]any)["properties"].(map[string]any)["gates"].(map[string]any)["properties"].(map[string]any)
		word := map[string]any{"enum": []any{"none", "required"}}
		gates["approval"] = map[string]any{"description": descriptions["Environment.spec.gates.approval"], "anyOf": []any{word, map[string]any{
			"type": "object", "additionalProperties": false,
			"properties": map[string]any{"routine": word, "separate": map[string]any{"type": "boolean"}},
		}}}
	}
	return out
}
