package e2e_test

import (
	"fmt"
	"strings"
)

// wide is an environment in which amplifiers are that meet every request of theirs: its cluster is that of dev.
const wide = "apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: wide}\nspec:\n  state: {url: ../state-wide.git, branch: main}\n" +
	"  clusters: {matchLabels: {environment: dev}}\n  namespace: {name: 'request.team + \"-wide\"'}\n"

// platformAmplifiers are ways to make very much of little beside versions and their requests.
func platformAmplifiers() []amplifier {
	in := func(environment, offering, name string) string {
		return document("Request", name, "offering: "+offering+", version: \"1\", environments: {"+environment+": {}}")
	}
	counting := "'" + strings.Repeat("[0,1,2,3,4,5,6,7,8,9].all(i, ", 5) + `object.kind != ""` + strings.Repeat(")", 5) + "'"
	policies := map[string]string{
		"environments/wide.yaml": wide,
		"policies/counting.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Policy\nmetadata: {name: counting}\nspec:\n  match: {environments: [wide]}\n  action: deny\n  validations:\n" +
			strings.Repeat("  - {message: none, expression: "+counting+"}\n", 50),
	}
	for n := range 3 {
		name := fmt.Sprintf("policies%d", n)
		policies["requests/evil/"+name+".yaml"] = in("wide", "policies", name)
	}
	policies["requests/evil/policies.yaml"] = in("wide", "policies", "policies")
	approvals := map[string]string{}
	for n := range 100 {
		name := fmt.Sprintf("many%d", n)
		approvals["decisions/dev/"+name+".yaml"] = document("Approval", name, "items: ["+each(1000, fmt.Sprintf("{request: evil/r%%d, release: 'sha256:%064d'}, ", n))+"]")
	}
	return []amplifier{
		{name: "policies", says: "policies/counting.yaml: judging all requests in wide takes more than 3,008,000 steps of CEL", version: map[string]string{"map.yaml": manyMaps(100)}, platform: policies},
		{name: "overlay", says: "environments/wide/heavy/kustomization.yaml: walks over 100,", version: map[string]string{"map.yaml": manyMaps(1000)}, platform: map[string]string{
			"environments/wide.yaml":                     wide + "  components: [heavy]\n",
			"environments/wide/heavy/kustomization.yaml": component + "labels:\n" + each(1000, "- {pairs: {l%d: v}}\n"),
			"requests/evil/overlay.yaml":                 in("wide", "overlay", "overlay"),
		}},
		{name: "labels-on-lists", says: "offerings/labels-on-lists/1.0.0/kustomization.yaml: walks over 100,", version: map[string]string{
			"map.yaml":           "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing}\nspec: {items: [" + each(1000, "{name: n%d, metadata: {labels: {a: b}}},\n") + "]}\n",
			"kustomization.yaml": component + "resources: [map.yaml]\nlabels:\n" + each(1000, "- {pairs: {l%d: v}, fields: [{path: 'spec/items[]/metadata/labels', create: true}]}\n"),
		}},
		{name: "decisions", platform: approvals},
	}
}

// manyRequests is half of the files that a folder may have.
const manyRequests = 50_000

// crowds are platforms of very many files, so many requests among them.
func crowds(count int) []amplifier {
	files, requests := map[string]string{}, map[string]string{}
	for n := range 100_001 {
		files[fmt.Sprintf("files/f%d.txt", n)] = "text"
	}
	for n := range count {
		name := fmt.Sprintf("r%d", n)
		requests["requests/evil/"+name+".yaml"] = document("Request", name, "offering: nothing, version: \"1\", environments: {dev: {}}")
	}
	return []amplifier{
		{name: "files", says: "offerings/files/1.0.0: holds over 100,000 files and folders", version: files},
		{name: "requests", says: fmt.Sprintf("requests/evil/r%d.yaml:4:8: spec.offering: ", count-1), platform: requests},
		costlyForMany(count, "expressions-of-many", "{type: object}\n  computed: {v: '"+steps+"'}", ":6:14: spec.computed.v: costs more than "),
		costlyForMany(count, "defaults-of-many", "{type: object, properties: {list: {type: array, items: {type: integer}, default: ["+strings.Repeat("1,", 100_000)+"]}}}",
			": spec.parameters: fills in more than "),
		costlyForMany(count, "rules-of-many", "{type: object, x-kubernetes-validations: [{message: never, rule: '"+steps+"'}]}", ": spec.parameters: has rules that take more than "),
	}
}

// steps is an expression that takes some 500,000 steps of CEL, half of those that one may take.
var steps = strings.Repeat("[0,1,2,3,4,5,6,7,8,9].all(i, ", 5) + "true" + strings.Repeat(")", 5)

// costlyForMany is a version that is within all bounds of one request, and so many requests for it.
func costlyForMany(count int, name, parameters, says string) amplifier {
	platform := map[string]string{}
	for n := range count {
		request := fmt.Sprintf("%s%d", name, n)
		platform["requests/evil/"+request+".yaml"] = document("Request", request, "offering: "+name+", version: \"1\", environments: {dev: {}}")
	}
	return amplifier{
		name: name, says: "offerings/" + name + "/1.0.0/version.yaml" + says, platform: platform,
		version: map[string]string{"version.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: NAME}\nspec:\n  parameters: " + parameters + "\n"},
	}
}
