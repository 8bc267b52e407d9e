package promotion

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A group is a change that many instances make together: a new version, or a change that an environment puts in. The counts
// are instances.
type group struct {
	flying  int // whose rollout is under way
	healthy int // whose rollout is over
	failed  int // that failed, with nobody having approved it since
}

// groups are those of the environment, by name. They are counted when somebody asks for one.
type groups struct {
	limits  platform.Instances
	counted func() map[string]*group
}

// newGroups counts the groups from the records that instances have from now on.
func newGroups(limits platform.Instances, p *people, records func(func(*state.Release))) *groups {
	return &groups{limits: limits, counted: sync.OnceValue(func() map[string]*group {
		all := map[string]*group{}
		of := func(name string) *group {
			if all[name] == nil {
				all[name] = &group{}
			}
			return all[name]
		}
		records(func(r *state.Release) {
			if len(r.Promotion.Rejected) > 0 {
				for _, name := range failedIn(p, r) {
					of(name).failed++
				}
			}
			name := groupOf(r)
			for _, g := range r.Promotion.Gates {
				if g.Gate == gate.Rollout && g.Figure != name {
					of(g.Figure).healthy++
				}
			}
			if name != "" && phaseOf(r) != stopped {
				of(name).flying++
			}
		})
		return all
	})}
}

// failedIn lists the groups that an instance failed in, each once.
func failedIn(p *people, r *state.Release) (names []string) {
	for _, f := range r.Promotion.Rejected {
		if f.Group != "" && !slices.Contains(names, f.Group) && !p.forgives(r, f) {
			names = append(names, f.Group)
		}
	}
	return names
}

// of returns the counts of a group.
func (g *groups) of(name string) *group {
	all := g.counted()
	if all[name] == nil {
		all[name] = &group{}
	}
	return all[name]
}

// free returns how many more instances may enter a group now, when so many want to.
func (g *groups) free(name string, wanting int) int {
	now := g.of(name)
	most := share(g.limits.MaxConcurrent, now.flying+now.healthy+now.failed+wanting)
	if now.healthy < g.limits.First {
		most = g.limits.First
	}
	if now.failed > 0 {
		most = min(most, g.limits.MaxFailures-now.failed)
	}
	return max(most-now.flying, 0)
}

// enter lets one more instance into a group, of so many that want to, or returns the reason why it waits.
func (g *groups) enter(name string, wanting int) *Gate {
	if stopped := g.stopped(name); stopped != nil {
		return stopped
	}
	if g.free(name, wanting) == 0 {
		waits := g.queued(name)
		return &waits
	}
	g.of(name).flying++
	return nil
}

// stopped returns the reason why nothing more enters a group, or nil.
func (g *groups) stopped(name string) *Gate {
	if name == "" {
		return nil
	}
	failed := g.of(name).failed
	if failed == 0 || failed < g.limits.MaxFailures {
		return nil
	}
	return &Gate{
		Name: gate.Rollout, Reason: fmt.Sprintf("%s failed in %d of the instances that it entered", called(name), failed),
		Opens: "another version or change, or an Approval merged after the failure",
	}
}

// queued is the gate of an instance whose turn in a group has not come.
func (g *groups) queued(name string) Gate {
	now := g.of(name)
	return Gate{
		Name: gate.Rollout, Reason: fmt.Sprintf("waits for its turn with %s: %d under way, %d healthy, %d failed", called(name), now.flying, now.healthy, now.failed),
		Opens: "the health of those that went before",
	}
}

// called is a group as people know it.
func called(group string) string {
	switch {
	case strings.HasPrefix(group, ofValues):
		return "the new value of an output"
	case isEnvironment(group):
		return "the change of the environment"
	}
	return strings.TrimPrefix(group, "version:")
}

// environmental is the prefix of groups of changes that an environment makes to the releases that it runs.
const environmental = "environment:"

// ofValues is the prefix of those that are for new values of observed outputs.
const ofValues = environmental + "values:"

func isEnvironment(group string) bool { return strings.HasPrefix(group, environmental) }

// groupsWith are the groups, as gates that the record passed, that an instance is in with the release that enters now: the one of
// the change, and that of the version which it has already and was healthy with.
func groupsWith(base, to *state.Release, group string) (list []state.PassedGate) {
	same := runs(base) && base.VersionDigest == to.VersionDigest
	if same && phaseOf(base) != stopped {
		for _, g := range base.Promotion.Gates {
			if g.Gate == gate.Rollout && g.Figure != group && g.Figure != groupOf(base) && !isEnvironment(g.Figure) {
				list = append(list, g)
			}
		}
	}
	if group != "" {
		list = append(list, state.PassedGate{Gate: gate.Rollout, Figure: group})
	}
	return list
}

// environmentGroup is the name of the group for the values, overlays and labels that the environment puts into its instances
// now.
func environmentGroup(p *platform.Platform, e *platform.Environment) string {
	puts := map[string]any{"values": e.Values, "overlays": digests(e.Overlays), "namespace": digests(e.Namespace.Components)}
	if e.External {
		puts["external"] = true
	}
	if e.Namespace.Name != nil {
		puts["name"] = e.Namespace.Name.Source
	}
	members := map[string]any{}
	for name, c := range p.Clusters {
		if selects(e, c) {
			members[name] = c.Labels
		}
	}
	puts["clusters"] = members
	return environmental + platform.Digest(puts)
}

// valueGroup is the name of the group for the values of observed outputs that the providers of an instance have now. A later value is another
// change: it neither waits for those that failed with one before, nor is it taken for good because of those that were well.
func (d *decided) valueGroup(c *change) string {
	told := map[string]any{"environment": d.ownGroup()}
	for _, provider := range c.Instance.Bindings {
		r := d.records[provider]
		if r == nil {
			r = d.Releases.Of(provider)
		}
		if r == nil {
			continue
		}
		for _, cluster := range sortedKeys(r.Clusters) {
			if values := r.OutputsOn(cluster); values != nil {
				told[provider.String()+"@"+cluster] = values
			}
		}
	}
	return ofValues + platform.Digest(told)
}

func digests(overlays []platform.Overlay) []string {
	list := []string{}
	for _, o := range overlays {
		list = append(list, o.Digest)
	}
	return list
}
