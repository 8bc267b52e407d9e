package platform

import (
	"cmp"
	"fmt"
	"strings"

	"transom.dev/render/expression"
	"transom.dev/render/wording"
)

// Platform is one snapshot of a platform repository. It is read-only once loaded.
type Platform struct {
	// Commit is the commit that the snapshot was taken from; Load leaves it empty, its caller sets it.
	Commit string

	Offerings    map[string]*Offering
	Environments map[string]*Environment
	Graph        *Graph // of the environments
	Clusters     map[string]*Cluster
	Policies     map[string]*Policy
	Decisions    []*Decision

	Notifications map[string]*Notification

	// Problems has every Problem and Warning, sorted by file, line, column and text.
	Problems []Problem

	parts
}

// parts are the values between the files and the objects of a snapshot, which answer questions about it and which the next load
// takes over where they did not change.
type parts struct {
	tree     *tree
	stages   *stages
	teams    map[string]*team
	deferred int // requests
	contents *contents
	counted  counted
	sums
}

// Requests returns all requests, sorted by key. The list is made anew at each call, as loads share what teams have.
func (p *Platform) Requests() []*Request {
	all := make([]*Request, 0, p.CountRequests())
	for _, name := range sortedKeys(p.teams) {
		all = append(all, p.teams[name].requests...)
	}
	return all
}

// CountRequests returns how many requests there are.
func (p *Platform) CountRequests() (n int) {
	for _, t := range p.teams {
		n += len(t.requests)
	}
	return n
}

// Request returns a request, or nil where there is none.
func (p *Platform) Request(k RequestKey) *Request { return p.teams[k.Team].request(k.Name) }

// InstanceSet returns the instances of an environment that can be rendered. A broken environment has none.
func (p *Platform) InstanceSet(environment string) *InstanceSet { return p.instances[environment] }

// Instances is InstanceSet as a list, which is made anew at each call.
func (p *Platform) Instances(environment string) []*Instance { return p.instances[environment].List() }

// Broken says that a request is in an environment, or may be, but cannot be resolved there: the release that it has stays as
// it is. Of a request that is neither among Instances nor Broken nothing remains in that environment.
func (p *Platform) Broken(environment string, k RequestKey) bool {
	if e := p.Environments[environment]; e == nil || e.Broken {
		return e != nil || p.tree.mayExist("environments/"+environment+".yaml")
	}
	if r := p.Request(k); r == nil {
		return p.tree.mayExist(k.File()) || p.teams[k.Team].names(k.Name) || p.deferred > 0
	} else if r.Broken {
		return true
	}
	return p.teams[k.Team].broken[environment][k]
}

// Deferred is how many requests later loads resolve, and how many decisions they read.
func (p *Platform) Deferred() int { return p.deferred }

// CheckCost is as much as the expressions of one check may cost for one release that is new to an environment. It follows from the head of the
// platform alone.
func (p *Platform) CheckCost(environment string) expression.Allowance {
	e, placements := p.Environments[environment], 0
	if e == nil || !hasChecks(e) {
		return expression.Allowance{}
	}
	for _, n := range p.Placements(environment) {
		placements += n
	}
	parts := int64(expression.RoundUp(len(e.Gates.Checks)+len(e.Rollout.Checks))) * int64(expression.RoundUp(placements))
	return expression.Allowance{Steps: min(askedEach+askedTogether/parts, askedMost), Size: askedBytes}
}

// Placements counts those of an environment by offering, with those that deferred requests come to.
func (p *Platform) Placements(environment string) map[string]int {
	count := p.DeferredIn(environment)
	for offering, n := range p.placed[environment] {
		count[offering] += n
	}
	return count
}

// DeferredIn counts the placements that deferred requests come to in an environment, by offering.
func (p *Platform) DeferredIn(environment string) map[string]int {
	count, on := map[string]int{}, map[[2]string]int{} // on: by offering and version as requests write it
	if p.deferred == 0 {
		return count
	}
	for _, t := range p.teams {
		if t.deferred == 0 {
			continue
		}
		for _, r := range t.resolved {
			if !r.request.Deferred || r.file.request.Broken || r.file.wrong[environment] {
				continue
			}
			spec := &r.request.Spec
			in, placed := spec.Environments[environment]
			o, wants := p.Offerings[spec.Offering], [2]string{spec.Offering, cmp.Or(in.Version, spec.Version)}
			if !placed || o == nil {
				continue
			}
			n, known := on[wants]
			if !known {
				n = p.stages.placements(environment, o.Match(wants[1]))
				on[wants] = n
			}
			count[o.Name] += n
		}
	}
	return count
}

// RequestKey names a request in its platform: the directory and the file below requests/.
type RequestKey struct {
	Team string `json:"team"`
	Name string `json:"name"`
}

// String is the form TEAM/REQUEST that people write.
func (k RequestKey) String() string { return k.Team + "/" + k.Name }

// File is the path of the request's file in a platform repository.
func (k RequestKey) File() string { return "requests/" + k.String() + ".yaml" }

// Compare orders keys by team, then by name.
func (k RequestKey) Compare(o RequestKey) int {
	return cmp.Or(strings.Compare(k.Team, o.Team), strings.Compare(k.Name, o.Name))
}

// ParseRequestKey reads TEAM/REQUEST.
func ParseRequestKey(s string) (RequestKey, error) {
	team, name, ok := strings.Cut(s, "/")
	if !ok || team == "" || name == "" || strings.Contains(name, "/") {
		return RequestKey{}, fmt.Errorf("%q is not of the form TEAM/REQUEST", s)
	}
	return RequestKey{Team: team, Name: name}, nil
}

// Check says why no request can be called so; nil: one can.
func (k RequestKey) Check() error {
	for _, part := range []struct{ noun, name string }{{"team", k.Team}, {"request", k.Name}} {
		if wrong := wrongName(part.name, maxLabel); wrong != "" {
			return fmt.Errorf("the %s %q %s", part.noun, wording.Shorten(part.name), wrong)
		}
	}
	return nil
}
