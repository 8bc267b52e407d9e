package kustomize

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
	k8syaml "sigs.k8s.io/yaml"
)

// vars reports the vars of a kustomization, each with what to write in its place. They are not built: they put text into text, and the name
// of an object is put there as it is with all prefixes, which no replacement knows.
func (g *guard) vars(name string, at *yaml.Node, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		g.report(name, at, "vars", "refused-field", "is deprecated; remove it")
		return
	}
	for i, item := range list.Content {
		var v types.Var
		text, err := yaml.Marshal(item)
		if err == nil {
			err = k8syaml.UnmarshalStrict(text, &v)
		}
		if err != nil || v.Name == "" || v.ObjRef.Kind == "" {
			g.report(name, item, "vars["+strconv.Itoa(i)+"]", "refused-field", "is deprecated, and no var that could be read; remove it")
			continue
		}
		g.report(name, item, "vars["+strconv.Itoa(i)+"]", "refused-field", "is deprecated; write what has $(%s) by a replacement of %s", v.Name, inPlaceOf(v))
	}
}

// inPlaceOf is what a replacement reads in place of a var: names and namespaces are known in the expressions of version.yaml, and all else is
// read of the object.
func inPlaceOf(v types.Var) string {
	field := cmp.Or(v.FieldRef.FieldPath, "metadata.name")
	of := "{kind: Inputs, fieldPath: computed.%[1]s}, with %[1]s: '%[2]s' and the text around it in spec.computed of version.yaml"
	switch field {
	case "metadata.name":
		return fmt.Sprintf(of, lowerCamel(v.Name), "request.name + "+strconv.Quote("-"+v.ObjRef.Name))
	case "metadata.namespace":
		return fmt.Sprintf(of, lowerCamel(v.Name), "namespace")
	}
	field = strings.NewReplacer("[", ".", "]", "").Replace(field)
	return fmt.Sprintf("{kind: %s, name: %s, fieldPath: %s}, with options: {delimiter: …, index: …} where it is a part of the text", v.ObjRef.Kind, v.ObjRef.Name, field)
}

// lowerCamel makes the name of a computed value of that of a var: SERVICE_NAME becomes serviceName.
func lowerCamel(name string) string {
	var b strings.Builder
	for i, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == '.' }) {
		if word = strings.ToLower(word); i > 0 {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		b.WriteString(word)
	}
	return b.String()
}
