package apply

import "context"

// follow is a pass over an instance whose objects another agent applies. Whether an object is at its desired revision is
// read off the digest that its manifest carries. The pass writes the inventory, which remembers the objects that have to be
// gone after a removal, and the values of generated Secrets, which nobody else has.
func (p *pass) follow(ctx context.Context) error {
	if err := p.enlist(ctx); err != nil {
		return err
	}
	for _, d := range p.all() {
		if d.live == nil || d.live.digest != d.digest {
			continue
		}
		if err := p.generate(ctx, d); err != nil {
			return err
		}
	}
	if err := p.judge(ctx, p.all()); err != nil {
		return err
	}
	return p.retire(ctx)
}

// behind is the health of an object that is not at its desired revision. Where another agent has not applied it yet, that
// is nobody's failure: it is unknown when the agent will, and no deadline runs.
func (p *pass) behind(message string) (Health, string) {
	if p.in.External {
		return Unknown, message + ": the agent that applies this environment has not applied it yet"
	}
	return Progressing, message
}
