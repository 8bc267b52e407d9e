package console

import (
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
)

// A closedGate is a gate that is closed, with the file of the platform repository that decides about it.
type closedGate struct {
	status.Gate
	File string // empty: none is known
}

// closedGates are those of an instance.
func (m *model) closedGates(in *status.Instance) (all []closedGate) {
	for _, g := range in.Waiting {
		all = append(all, closedGate{g, m.deciding(in, g)})
	}
	return all
}

// deciding is the file that decides about a closed gate: the decision that it names, the request's where the fault is in it, and else the
// environment's.
func (m *model) deciding(in *status.Instance, g status.Gate) string {
	if e := m.byName[in.Environment]; e != nil {
		for _, d := range e.Decisions {
			if strings.Contains(g.Reason+" "+g.Opens+" ", d.File) {
				return d.File
			}
		}
	}
	ofRequest := g.Name == gate.Problem || g.Name == gate.Binding || in.File != "" && strings.Contains(g.Reason, in.File)
	if ofRequest {
		return in.File
	}
	return m.fileOf(in.Environment)
}

// fileOf is the file of an environment; empty: the platform has none of that name.
func (m *model) fileOf(environment string) string {
	p := m.Platform.Offers()
	if p == nil || p.Environments[environment] == nil {
		return ""
	}
	return p.Environments[environment].File
}
