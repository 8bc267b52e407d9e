package render

import "transom.dev/render/platform"

// oneVerbatim leaves one request of each team to every offering whose objects keep their names: a second one would
// write the same objects. The one that runs goes first, then the one whose path sorts earlier.
func (p *pass) oneVerbatim() {
	first := map[use]platform.RequestKey{}
	of := func(c *candidate) use { return use{c.key().Team, c.instance.Offering.Name} }
	for _, k := range p.orphans {
		if p.kept(k) {
			first[use{k.Team, p.had(k).Offering}] = k
		}
	}
	for _, running := range []bool{true, false} {
		for _, c := range p.candidates {
			if c.instance.Version.Names != platform.Verbatim || running != c.runs() {
				continue
			}
			other, taken := first[of(c)]
			if !taken {
				first[of(c)] = c.key()
				continue
			}
			c.report("", "verbatim", "%s has one request per team, because its objects keep their names, and that is %s; remove one of the two",
				c.instance.Version, other)
		}
	}
}

// runs reports whether the environment runs the candidate's request already, for the same offering.
func (c *candidate) runs() bool {
	return c.base != nil && !c.base.Absent && c.base.Offering == c.instance.Offering.Name
}
