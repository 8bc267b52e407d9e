package kustomize

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/utils"

	"transom.dev/render/platform"
)

// Written tells where a replacement stands that writes a field of an object of the skeleton, or something around that field,
// and the path of the value in the inputs.
func (s *Skeleton) Written(object int, path []string) (position platform.Problem, source string, ok bool) {
	name := s.Objects[object].Kind + " " + s.Objects[object].Name
	for _, t := range s.targets {
		if steps := utils.SmarterPathSplitter(t.path, "."); t.object == name && covers(steps, path) && s.mayWrite(object, steps, path) {
			position, source, ok = t.write.position, strings.Join(t.source, "."), true // the last one that writes is seen
		}
	}
	return position, source, ok
}

// mayWrite reports whether no key of a field path, such as [name=app], tells that it leads to another entry of a list than a field
// is in.
func (s *Skeleton) mayWrite(object int, path, field []string) bool {
	at := s.Texts[object].Content[0]
	for i, step := range path {
		_, at = child(at, field[i])
		key, value, keyed := strings.Cut(strings.Trim(step, "[]"), "=")
		if of := Lookup(at, key); keyed && of != nil && of.Value != "" && of.Value != value {
			return false
		}
	}
	return true
}

// covers reports whether a field path leads to a field or to one that it is in. Steps into lists are taken to be the same.
func covers(path, field []string) bool {
	if len(path) > len(field) {
		return false
	}
	for i, step := range path {
		intoList := IsIndex(step) || strings.HasPrefix(step, "[")
		if intoList && IsIndex(field[i]) {
			continue
		}
		if step != field[i] {
			return false
		}
	}
	return true
}
