package promotion

import (
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// pinned returns the candidate of a Pin, which is its own approval, or the gates that are closed for it. There is neither where
// the instance runs the release already.
func (s picker) pinned(pin *platform.Decision) (*candidate, []Gate) {
	if runs(s.base) && means(pin, refOf(s.base)) {
		return nil, nil
	}
	passed := []state.PassedGate{s.people.passed(gate.Pin, pin)}
	if ran := s.ranAs(pin); ran != nil { // it comes back as after a rollback, which no gate keeps back
		return &candidate{cause: state.CausePin, restore: ran, answer: answer{passed: passed}}, nil
	}
	unknown := "which nothing here knows"
	for _, content := range s.pinnable(pin) {
		i, problems := s.Lookup.Resolve(s.key, content)
		if len(problems) > 0 && content.Digest == "" {
			unknown = "which it cannot have: " + problems[0].String()
		}
		if len(problems) > 0 || i == nil || !means(pin, refOfInstance(i)) {
			continue
		}
		if runs(s.base) && i.Release == s.base.Digest {
			return nil, nil
		}
		to, spec := refOfInstance(i), &i.Request.Spec
		approvals := s.people.entering(to, versionAlone(s.base, to, spec, s.Environment.Name))
		q := &question{subject: s.subject, to: to, spec: spec, instance: i, readmits: append(approvals, pin)} // the Pin readmits once
		if q.ask(pinning); len(q.closed) > 0 {
			return nil, q.closed
		}
		return &candidate{content: content, instance: i, cause: state.CausePin, answer: answer{passed: passed}}, nil
	}
	return nil, []Gate{{
		Name: gate.Pin, Reason: fmt.Sprintf("pinned by %s to %s, %s", pin.File, pinName(pin), unknown),
		Opens: "whoever changes or removes " + pin.File,
	}}
}

func pinName(pin *platform.Decision) string {
	if pin.Release != "" {
		return "release " + short(pin.Release)
	}
	return "version " + pin.Version
}

// ranAs returns the last time that a pinned release was healthy here, if it was: it comes back as the bytes that ran.
func (s picker) ranAs(pin *platform.Decision) *state.Ran {
	if s.base == nil || pin.Release == "" {
		return nil
	}
	for _, ran := range slices.Backward(s.base.Promotion.Ran) {
		if ran.Digest == pin.Release {
			return &ran
		}
	}
	return nil
}

// pinnable lists the releases that a pin may mean: those that are known of the request, and where it names a version the
// release that runs here, or else the one that the head asks for, with that version.
func (s picker) pinnable(pin *platform.Decision) (list []Content) {
	if s.head != nil {
		list = append(list, contentOfInstance(s.head, s.Platform.Commit))
	}
	list = append(list, s.up.yielded(s.key)...)
	if pin.Release != "" || pin.Version == "" {
		return list
	}
	var c Content
	switch {
	case runs(s.base):
		c = ContentOf(s.base)
	case s.head != nil:
		c = contentOfInstance(s.head, s.Platform.Commit)
	default:
		return list
	}
	c.Digest, c.Version, c.VersionDigest = "", pin.Version, ""
	list = slices.Insert(list, 0, c)
	if own := c.Spec.Environments[s.Environment.Name].Version; own != "" && own != pin.Version {
		c.Spec = withVersion(c.Spec, s.Environment.Name, pin.Version)
		list = slices.Insert(list, 1, c)
	}
	return list
}

// withVersion is a spec that asks for exactly one version in an environment, instead of the range that it asks for there.
func withVersion(spec *platform.RequestSpec, environment, version string) *platform.RequestSpec {
	asked := *spec
	asked.Environments = maps.Clone(spec.Environments)
	own := asked.Environments[environment]
	own.Version = version
	asked.Environments[environment] = own
	return &asked
}
