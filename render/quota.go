package render

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"transom.dev/render/expression"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A counted request is one with its amounts for a quota: of the release that it has, and of the one that it comes to in this pass.
type counted struct {
	key           platform.RequestKey
	group         string
	candidate     *candidate // nil: not visited, or without an instance
	current, next resource.Quantity
	runs          bool
}

// amounts are those of instances, by quota, so that each is evaluated once within an allowance.
type amounts map[*platform.Quota]map[*platform.Instance]amount

// An amount is that of an instance, or why it has none. One that cannot be evaluated is zero.
type amount struct {
	resource.Quantity
	err  error
	most expression.Allowance
}

// of returns the amount of an instance, whose expression may cost so much.
func (a amounts) of(q *platform.Quota, i *platform.Instance, most expression.Allowance) (resource.Quantity, error) {
	made, known := a[q][i]
	if !known || made.most != most {
		made = amount{most: most}
		made.Quantity, made.err = q.Of(i, most)
		if a[q] == nil {
			a[q] = map[*platform.Instance]amount{}
		}
		a[q][i] = made
	}
	return made.Quantity, made.err
}

// A account is a quota with the requests that it counts.
type account struct {
	policy *platform.Policy
	quota  *platform.Quota
	all    map[platform.RequestKey]counted
	used   map[string]resource.Quantity // by group
}

// keepQuotas keeps the requests of the environment to the quotas of its policies. Requests that run come first, and are only warned of;
// then those that want more than they have, by their names, and each that does not fit into all quotas is refused.
func (p *pass) keepQuotas() {
	var accounts []account
	for _, policy := range p.policies {
		for _, q := range policy.Quotas {
			if len(p.memory.costs.amounts[q]) > 2*p.instances.Len() {
				delete(p.memory.costs.amounts, q) // most are of instances that are gone
			}
			all := p.count(policy, q)
			a := account{policy, q, make(map[platform.RequestKey]counted, len(all)), map[string]resource.Quantity{}}
			for _, c := range all {
				a.all[c.key] = c
				a.tellRunning(c)
			}
			accounts = append(accounts, a)
		}
	}
	for _, c := range p.candidates {
		fits := !c.broken()
		for n := 0; n < len(accounts) && fits; n++ {
			fits = accounts[n].fits(c)
		}
		for _, a := range accounts {
			if fits {
				a.enter(c.key())
			}
		}
	}
}

// count lists the requests that a quota counts, sorted by request.
func (p *pass) count(policy *platform.Policy, q *platform.Quota) (all []counted) {
	for _, k := range p.requests() {
		i, release := p.instance(k), p.recordOf(k)
		c := counted{key: k, candidate: p.byKey[k]}
		switch restored := p.restored(k); {
		case restored != nil:
			release = restored
		case i == nil && release != nil && !p.kept(k):
			continue // it goes
		}
		c.runs = release != nil && !release.Absent
		offering := ""
		if c.runs {
			offering = release.Offering
		} else if i != nil {
			offering = i.Offering.Name
		}
		if offering == "" || !policy.Counts(offering) {
			continue
		}
		c.group = q.Group(k.Team, offering, p.environment.Name)
		if c.runs {
			c.current = p.current(q, k, i, release)
		}
		c.next = c.current
		if c.candidate != nil && !c.candidate.broken() {
			amount, err := p.memory.costs.amounts.of(q, c.candidate.instance, p.shares.ofQuota(p.policies))
			if err != nil {
				problem := q.Uncounted(k, err) // only an expression can fail
				problem.Warning = c.runs || !policy.Denies()
				c.candidate.add(problem)
				amount = c.current
			}
			c.next = amount
		}
		all = append(all, c)
	}
	return all
}

// requests lists all requests that the environment may have something of, sorted.
func (p *pass) requests() []platform.RequestKey {
	keys := make([]platform.RequestKey, 0, p.instances.Len()+len(p.orphans))
	for i := range p.instances.All() {
		keys = append(keys, i.Request.Key)
	}
	keys = append(keys, p.orphans...)
	for k := range p.direction.Restore {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, platform.RequestKey.Compare)
	return slices.Compact(keys)
}

// current is the amount of the release that a request has. A content whose version is gone has the amount of what comes after it, so
// that nothing is refused for it.
func (p *pass) current(q *platform.Quota, k platform.RequestKey, i *platform.Instance, release *state.Release) resource.Quantity {
	if i == nil || i.Release != release.Digest {
		before, _ := p.platform.InstanceOf(p.environment.Name, k, release.Request, release.Version, release.VersionDigest, release.File)
		if before != nil {
			i = before
		}
	}
	if i == nil {
		return resource.Quantity{}
	}
	amount, _ := p.memory.costs.amounts.of(q, i, p.shares.ofQuota(p.policies))
	return amount
}

// tellRunning counts a request that runs, and warns of one that does not fit. A request that shrinks has shrunk.
func (a account) tellRunning(c counted) {
	if !c.runs {
		return
	}
	least := c.current
	if c.next.Cmp(least) < 0 {
		least = c.next
	}
	sum := plus(a.used[c.group], least)
	a.used[c.group] = sum
	if sum.Cmp(a.quota.Most) > 0 && c.candidate != nil {
		c.candidate.add(platform.Problem{Rule: "quota", Warning: true, Message: fmt.Sprintf(
			"policy %s bounds the %s to %s, and with this request it has %s; what runs stays: %s",
			a.policy.Name, c.group, a.quota.Most.String(), sum.String(), a.quota.Message)})
	}
}

// fits reports whether a candidate may want what it wants, and tells it where not.
func (a account) fits(candidate *candidate) bool {
	c := a.all[candidate.key()]
	sum := plus(a.used[c.group], c.more())
	if c.candidate == nil || c.next.Cmp(c.current) <= 0 || sum.Cmp(a.quota.Most) <= 0 {
		return true
	}
	does := "denies it"
	if !a.policy.Denies() {
		does = "warns of it"
	}
	candidate.add(platform.Problem{Rule: "quota", Warning: !a.policy.Denies(), Message: fmt.Sprintf(
		"policy %s %s: the %s would come to %s, of at most %s: %s", a.policy.Name, does, c.group, sum.String(), a.quota.Most.String(), a.quota.Message)})
	return !a.policy.Denies()
}

// enter counts what a candidate wants more than it has.
func (a account) enter(k platform.RequestKey) {
	if c := a.all[k]; c.candidate != nil {
		a.used[c.group] = plus(a.used[c.group], c.more())
	}
}

// more is how much more a request wants than it has; zero where it wants less.
func (c counted) more() resource.Quantity {
	if c.next.Cmp(c.current) <= 0 {
		return resource.Quantity{}
	}
	more := c.next.DeepCopy()
	more.Sub(c.current)
	return more
}

func plus(a, b resource.Quantity) resource.Quantity {
	sum := a.DeepCopy()
	sum.Add(b)
	return sum
}
