package promotion

// AdmitNamespaces says whether the namespaces of teams may change now, which they do when the environment or its components
// of namespaces do. They are nobody's release: only a gate of the environment as a whole keeps them. The digest names
// the change; where releases change with it, who approved the plan of these has approved the namespaces too.
func (p *Pass) AdmitNamespaces(digest string) bool {
	for _, h := range p.decisions.holds {
		if h.Request == nil && h.Team == "" && h.Offering == "" && h.Cluster == "" {
			p.wake(p.view.Now.past(h.Until))
			return false
		}
	}
	if g := p.window(); g != nil {
		p.wake(g.At)
		return false
	}
	if p.view.Environment.Gates.Approval != "required" || p.plan != nil {
		return true
	}
	for _, d := range p.decisions.approvals {
		if d.Plan == digest {
			return true
		}
	}
	if p.Plan == "" {
		p.Plan = digest
	}
	return false
}
