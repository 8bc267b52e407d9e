package kustomize

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// successorOf is what a replacement reads instead of a var: names and namespaces are known in the expressions of version.yaml, and all else is
// read of the object.
func successorOf(v types.Var) string {
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
