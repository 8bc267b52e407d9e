package compiler

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/hasher"
	"sigs.k8s.io/kustomize/api/resource"

	"transom.dev/render/internal/kustomize"
)

// A hash at the end of a generated name is a value too: one that follows from the others, by way of the content of its
// object. Kustomize computes it last of all, so it is the hash of the object as it is printed.

// hashes finds the objects whose hash depends on values, and adds the hashes to the markers of each probe.
func (t *template) hashes(results [probes]kustomize.Objects, m *[probes]markers) error {
	for n, r := range results[0].Resources() {
		var found [probes]string
		for i, result := range results {
			var err error
			if found[i], err = (&hasher.Hasher{}).Hash(&result.Resources()[n].RNode); err != nil {
				return err
			}
			if !strings.HasSuffix(result.Resources()[n].GetName(), "-"+found[i]) {
				found[i] = ""
			}
		}
		if slices.Contains(found[:], "") || found[0] == found[1] {
			continue
		}
		if between(results[0].Resources(), n, strings.TrimSuffix(r.GetName(), found[0])) {
			return unproven("the order of objects depends on the hash of %s", r.GetName())
		}
		t.hashed = append(t.hashed, n)
		for i := range m {
			m[i] = append(m[i], found[i])
		}
	}
	return nil
}

// between reports whether another object of the kind could come before or after the n-th, depending on its hash.
func between(resources []*resource.Resource, n int, name string) bool {
	for i, other := range resources {
		if i != n && other.GetKind() == resources[n].GetKind() && strings.HasPrefix(other.GetName(), name) {
			return true
		}
	}
	return false
}

// withHashes returns the values and after them the hashes that follow from them.
func (t *template) withHashes(values []value) ([]value, error) {
	all := values
	for _, n := range t.hashed {
		object := t.documents[n].filled(values)
		if object == nil {
			return nil, errUnusual
		}
		hash, err := (&hasher.Hasher{}).Hash(object)
		if err != nil {
			return nil, err
		}
		all = append(all, value{stringValue, hash})
	}
	return all, nil
}
