package apply

import "slices"

// doubts says whether another daemon may have applied a later state than this pass has: one of the objects carries a
// digest that is neither the desired one nor of our own writing, and came after that state was fetched; or it was deleted
// after that, and the inventory does not list it any more. Then nothing is written before the state is fetched again. An
// object that a later fetch confirms is ours to correct, whoever wrote the other digest. An object that a person deletes is
// still listed, and comes back at once.
func (p *pass) doubts() bool {
	p.doubted = !p.in.Fetched.IsZero() && slices.ContainsFunc(p.all(), func(d *desired) bool {
		l := d.live
		if l == nil {
			return d.watch != nil && !p.listed[d.object] && d.watch.lostSince(d.object, p.in.Fetched)
		}
		return l.digest != "" && l.digest != d.digest && l.arrived.After(p.in.Fetched)
	})
	return p.doubted
}
