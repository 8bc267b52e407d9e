package kustomize

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/utils"

	"transom.dev/render/platform"
)

// Written tells where a replacement stands that writes a field of an object of the skeleton, or something around that field,
// and the path of the value in the inputs.
func (s *Skeleton) Written(object int, path []string) (place platform.Problem, source string, ok bool) {
	name := s.Objects[object].Kind + " " + s.Objects[object].Name
	for _, t := range s.targets {
		if t.object == name && covers(utils.SmarterPathSplitter(t.path, "."), path) {
			place, source, ok = t.write.place, strings.Join(t.source, "."), true // the last one that writes is seen
		}
	}
	return place, source, ok
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
