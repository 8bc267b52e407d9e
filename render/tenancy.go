package render

import (
	"fmt"
	"slices"

	"transom.dev/render/state"
)

// admitted returns the namespace files that change: new ones with the first placement in them, and those that are there if
// that is admitted, all or none. None is ever removed with the last placement in it. The candidates whose namespace has to
// wait are visited again in the next pass.
func (t teamNamespaces) admitted(a *admission) (files map[string][]byte, waiting []*candidate, err error) {
	files = map[string][]byte{}
	changed := map[string][2]string{}
	for file, manifest := range t.files {
		if a.base.has(file, manifest) {
			continue
		}
		before, err := a.base.Read(file)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("render %s: %w", a.environment.Name, err)
		case before == nil && t.inhabited(file, a):
			files[file] = manifest
		case before != nil && string(before) != string(manifest):
			changed[file] = [2]string{state.Revision(before), state.Revision(manifest)}
		}
	}
	if len(changed) == 0 {
		return files, nil, nil
	}
	admit := a.direction.AdmitNamespaces
	admitted := admit == nil || admit(state.NamespacesDigest(a.environment.Name, changed))
	for file := range changed {
		if admitted {
			files[file] = t.files[file]
		} else {
			waiting = append(waiting, t.tenants[file]...)
		}
	}
	return files, waiting, nil
}

// inhabited reports whether anything is in a namespace after this pass.
func (t teamNamespaces) inhabited(file string, a *admission) bool {
	cluster, _, _ := state.ParseNamespaceFile(file)
	return slices.ContainsFunc(t.tenants[file], func(c *candidate) bool {
		placed, _ := a.placementAfter(c, cluster)
		return placed.Revision != ""
	})
}
