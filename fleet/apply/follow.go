package apply

import "context"

// follow is a visit of an instance whose objects another agent applies. Whether an object is at its desired revision is
// read off the digest that its manifest carries. The visit writes the inventory, which remembers the objects that have to be
// gone after a removal, and the values of generated Secrets, which nobody else has.
func (p *visit) follow(ctx context.Context) error {
	if err := p.application.listDesired(ctx); err != nil {
		return err
	}
	for _, d := range p.all() {
		if d.live == nil || d.live.digest != d.digest {
			continue
		}
		if err := p.application.writer.generateValues(ctx, d); err != nil {
			return err
		}
	}
	if err := p.health.assessHealth(ctx, p.all()); err != nil {
		return err
	}
	return p.pruning.pruneOrphans(ctx)
}
