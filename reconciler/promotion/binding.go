package promotion

import (
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/platform"
)

// binding returns the gate of the first provider that a release still waits for among those that it is bound to, or nil:
// each has to run here, and to be healthy before something that never ran here is applied for the first time.
func (p *Pass) binding(s *subject, i *platform.Instance) *Gate {
	for _, name := range slices.Sorted(maps.Keys(i.Bindings)) {
		provider := i.Bindings[name]
		r := p.view.Releases[provider]
		if !runs(r) {
			return &Gate{Name: "binding", Reason: fmt.Sprintf("%s does not run in %s yet", provider, p.view.Environment.Name), Opens: "the release of " + provider.String()}
		}
		if runs(s.base) {
			continue
		}
		if now := p.view.condition(p.view.Environment, r, nil); now.counting > 0 && !now.arrived() {
			return &Gate{Name: "binding", Reason: fmt.Sprintf("%s is not healthy in %s yet: %s", provider, p.view.Environment.Name, now.why()), Opens: "the health of " + provider.String()}
		}
	}
	return nil
}
