package render

import (
	"maps"

	"transom.dev/render/expression"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// The cost of expressions that the placements of an environment may have together, and each of them besides. One alone may have as much as
// expression.All, and so may few; where there are very many it is little.
var (
	costTogether = expression.Allowance{Steps: 10_000_000, Size: 128 << 20}
	costEach     = expression.Allowance{Steps: 500, Size: 4 << 10}
)

// takenTimes is how many times as much the expressions of a version may cost that the environment runs for the request.
const takenTimes = 10

// shares are what the expressions of one placement may cost, by how many there are. They follow from the head of the platform alone, and are
// in powers of two, so that a request more or less changes nothing.
type shares struct {
	platform   *platform.Platform
	placements int            // of the environment
	byOffering map[string]int // of those that have any
}

// countShares counts the placements of an environment, with those that deferred requests may come to: a share that is too large would
// let in a request that all together have no share for.
func countShares(p *platform.Platform, environment string) shares {
	s := shares{platform: p, byOffering: p.Placements(environment)}
	for _, n := range s.byOffering {
		s.placements += n
	}
	s.placements = expression.RoundUp(s.placements)
	for name, n := range s.byOffering {
		s.byOffering[name] = expression.RoundUp(n)
	}
	return s
}

func (s shares) equal(other shares) bool {
	return s.placements == other.placements && maps.Equal(s.byOffering, other.byOffering)
}

// anew is the share of each placement of an instance whose version is new to its environment: an equal one among all placements, or, where
// its offering has few of them, one of the equal parts of offerings.
func (s shares) anew(i *platform.Instance) expression.Allowance {
	parts := int64(partsOf(len(s.byOffering), s.byOffering[i.Offering.Name], s.placements))
	return expression.Allowance{Steps: costEach.Steps + costTogether.Steps/parts, Size: costEach.Size + costTogether.Size/parts}.Times(1)
}

// of is the share of each placement of an instance, after the record that its environment has.
func (s shares) of(i *platform.Instance, base *state.Release) expression.Allowance {
	if base != nil && !base.Absent && base.VersionDigest == i.Version.Digest {
		return s.anew(i).Times(takenTimes)
	}
	return s.anew(i)
}

// A cost is that of the expressions of the placements of an instance, and how much each may cost.
type cost struct {
	most  expression.Allowance
	spent expression.Spending // most of each
	told  bool                // a Problem or a Warning came of the cost
}

func (c *cost) add(t *expression.Tally) {
	c.spent = expression.Spending{Cost: max(c.spent.Cost, t.Spent.Cost), Bytes: max(c.spent.Bytes, t.Spent.Bytes), Nodes: max(c.spent.Nodes, t.Spent.Nodes)}
	c.told = c.told || t.Over()
}

// fits reports whether an instance comes to the same with these shares.
func (c *cost) fits(i *platform.Instance, base *state.Release, all shares) bool {
	return c.most == all.of(i, base) || !c.told && all.anew(i).Exceeded(c.spent) == ""
}

// The steps that the amounts of requests may take together in an environment, in equal parts for its quotas, and each besides.
const (
	countTogether = int64(10_000_000)
	countEach     = int64(200)
)

// ofQuota is the share of the amount of each request for each of the quotas of an environment.
func (s shares) ofQuota(policies []*platform.Policy) expression.Allowance {
	quotas := 0
	for _, policy := range policies {
		quotas += len(policy.Quotas)
	}
	parts := int64(expression.RoundUp(quotas)) * int64(max(1, s.placements))
	return expression.Allowance{Steps: countEach + countTogether/parts, Size: expression.All.Size}.Times(1)
}

// partsOf is into how many parts that which all have together is divided for each of the n of an offering.
func partsOf(offerings, n, all int) int {
	return max(1, min(expression.RoundUp(offerings)*max(1, n), all))
}
