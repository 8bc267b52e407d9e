package render

import (
	"fmt"
	"slices"

	"transom.dev/render/state"
)

// writeNamespaces changes the namespace files that differ. None is ever removed with the last instance in it, and none is
// made before the first one is admitted.
func (p *pass) writeNamespaces() error {
	changed := map[string][2]string{}
	for file, manifest := range p.namespaces {
		before, err := p.base.read(file)
		switch {
		case err != nil:
			return fmt.Errorf("render %s: %w", p.environment.Name, err)
		case before == nil && p.inhabited(file):
			p.changes[file] = manifest
		case before != nil && string(before) != string(manifest):
			changed[file] = [2]string{state.Revision(before), state.Revision(manifest)}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	admit := p.direction.AdmitNamespaces
	admitted := admit == nil || admit(namespacesDigest(p.environment.Name, changed))
	for file := range changed {
		if admitted {
			p.changes[file] = p.namespaces[file]
			continue
		}
		for _, c := range p.tenants[file] {
			p.pending[c.key()] = true
		}
	}
	return nil
}

// inhabited reports whether anything is in a namespace after this pass.
func (p *pass) inhabited(file string) bool {
	cluster, _, _ := state.ParseNamespaceFile(file)
	return slices.ContainsFunc(p.tenants[file], func(c *candidate) bool {
		placed, _ := p.on(c, cluster)
		return placed.Revision != ""
	})
}
