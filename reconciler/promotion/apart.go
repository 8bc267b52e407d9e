package promotion

import (
	"maps"
	"reflect"
	"strings"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A counting says whether an Approval counts for a change; nil: each does that names it.
type counting func(*platform.Decision) bool

// apart is which Approvals count for a change that files brought, as of a platform commit: where the environment wants the two
// apart, those that were merged in a later commit.
func (v *View) apart(commit string, files ...string) counting {
	if !v.Environment.Gates.Separate {
		return nil
	}
	return func(d *platform.Decision) bool { return v.Lookup.Later(d.File, commit, files...) }
}

// apartFromPlan is apart for what the environment puts in.
func (v *View) apartFromPlan() counting {
	file := v.Environment.File
	return v.apart(v.Platform.Commit, file, strings.TrimSuffix(file, ".yaml"), "clusters")
}

func (c counting) admits(d *platform.Decision) bool { return c == nil || c(d) }

// of returns the Approvals of a list that count.
func (c counting) of(list []*platform.Decision) (counts []*platform.Decision) {
	for _, d := range list {
		if c.admits(d) {
			counts = append(counts, d)
		}
	}
	return counts
}

// exact returns the Approval of exactly the release in question, or nil.
func (q *question) exact() *platform.Decision {
	for d := range q.people.approvalsFor(q.to.Key) {
		if exactly(d, q.to) && q.counts.admits(d) {
			return d
		}
	}
	return nil
}

// tooEarly says that an Approval of the release was merged along with it, where it is; empty if none was.
func (q *question) tooEarly() string {
	for d := range q.people.approvalsFor(q.to.Key) {
		if !exactly(d, q.to) && !ofVersion(d, q.to) {
			continue
		}
		if q.counts.admits(d) {
			return ""
		}
		return "; " + d.File + " does not count, because it was not merged in a later commit"
	}
	return ""
}

// isRoutine reports whether a release needs no Approval because it changes only parameters that its offering calls routine, in the
// version that runs. It brings no change of the environment along: that would get in with it.
func (q *question) isRoutine() bool {
	o, was := q.Platform.Offerings[q.to.Offering], q.base
	if !q.Environment.Gates.Routine || o == nil || o.Broken || len(o.Routine) == 0 {
		return false
	}
	if !runs(was) || was.Request == nil || was.Offering != q.to.Offering || was.VersionDigest != q.instance.Version.Digest {
		return false
	}
	here := q.Environment.Name
	if !reflect.DeepEqual(visible(lasting(was.Request, here, o.Routine), here), visible(lasting(q.spec, here, o.Routine), here)) {
		return false
	}
	has, _ := q.current()
	if has == nil {
		return false
	}
	keys, problems := q.Lookup.Keys(has)
	return len(problems) == 0 && maps.EqualFunc(keys, was.Clusters, func(key string, placed state.Placement) bool { return key == placed.RenderKey })
}

// lasting is a request without the parameters that are routine, also where an environment overrides them.
func lasting(spec *platform.RequestSpec, environment string, routine []string) *platform.RequestSpec {
	rest := func(parameters map[string]any) map[string]any {
		parameters = maps.Clone(parameters)
		for _, name := range routine {
			delete(parameters, name)
		}
		return parameters
	}
	s := *spec
	s.Parameters, s.Environments = rest(spec.Parameters), maps.Clone(spec.Environments)
	own := s.Environments[environment]
	own.Parameters = rest(own.Parameters)
	if s.Environments != nil {
		s.Environments[environment] = own
	}
	return &s
}
