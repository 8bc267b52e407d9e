package promotion

import (
	"cmp"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A candidate is a release that an instance could have next, or its removal.
type candidate struct {
	content  Content
	instance *platform.Instance
	removal  bool
	restore  *state.Ran // of a Pin: the release comes back as the bytes that ran here

	cause  state.Cause
	group  string
	within bool // the instance is in the group already, and has not to wait for its turn
	same   bool // it has the bytes that run, so that no gate was asked

	answer // of its gates
}

// A choice is the release that an instance is to have.
type choice struct {
	next    *candidate         // the release that it takes instead of its own; nil: it stays
	stay    *platform.Instance // of the release that it has
	waiting *candidate         // the newest that may not enter
	outcome
}

// A picker chooses the release that an instance has next.
type picker struct {
	*subject
	groups *groups
}

// pick returns the candidate that an instance should have next, and the instance of the release that it has.
func (s picker) pick() (out choice) {
	stay, broken := s.current()
	out.stay = stay
	if removed := s.head == nil && !s.Lookup.Broken(s.key); !removed {
		out.wait(broken...) // for what is on its way out nobody has to mend anything
	}
	if pin := s.people.pinOf(s.key, s.offering()); pin != nil {
		c, gates := s.pinned(pin)
		out.next = c
		out.wait(gates...)
		return out
	}
	switch {
	case s.Lookup.Broken(s.key):
	case s.head == nil:
		if runs(s.base) {
			out.offer(s.remove(), 0)
		}
	default:
		contents := s.contents()
		for i, content := range contents {
			if c := s.examine(content); c != nil {
				out.offer(c, len(contents)-1-i)
			}
			if out.next != nil {
				break
			}
		}
	}
	return out
}

// offer takes a candidate whose gates are open, and waits for the newest of the others.
func (o *choice) offer(c *candidate, older int) {
	switch {
	case len(c.closed) == 0:
		o.next = c
	case o.waiting == nil:
		o.waiting = c
		o.candidate, o.removal, o.overtaken = &c.content, c.removal, older
		o.wait(c.closed...)
	default:
		for _, g := range c.closed {
			o.wake(g.At)
		}
	}
}

// examine makes a candidate of a release, and asks its gates. A release that changes nothing here has none. The candidate is nil
// where the release is none for this environment.
func (s picker) examine(content Content) *candidate {
	c := &candidate{content: content, cause: state.CauseRelease}
	q := &question{subject: s.subject, to: content.ReleaseRef, spec: content.Spec, groups: s.groups}
	if s.head != nil && content.Digest == s.head.Release {
		q.instance = s.head
	} else {
		q.instance, q.problems = s.Lookup.Resolve(s.key, content)
	}
	if len(q.problems) == 0 {
		if q.instance == nil || s.has(q.instance.Release) {
			return nil
		}
		c.instance, q.to, q.spec = q.instance, refOfInstance(q.instance), &q.instance.Request.Spec
	}
	q.ask(rendering)
	c.same = s.unchanged(q.keys)
	if len(q.closed) == 0 && !c.same {
		c.classify(s.base)
		q.group, q.within = c.group, c.within
		q.counts = s.apart(content.Commit, cmp.Or(content.File, s.key.File()), q.instance.Version.Dir)
		q.readmits = q.counts.of(s.people.entering(q.to, versionAlone(s.base, q.to, q.spec, s.Environment.Name)))
		q.ask(entry)
	}
	c.answer = q.answer
	return c
}

// classify says whether a candidate brings a new version along: then all that do are one rollout.
func (c *candidate) classify(base *state.Release) {
	switch {
	case !runs(base):
	case base.VersionDigest != c.instance.Version.Digest:
		c.cause, c.group = state.CauseVersion, "version:"+c.instance.Version.String()
	case phaseOf(base).open(): // it is under way with that version already
		c.group, c.within = groupOf(base), true
	}
}

// unchanged reports whether these are the render keys of the release that runs, everywhere.
func (s picker) unchanged(keys map[string]string) bool {
	if !runs(s.base) || len(keys) == 0 || len(keys) != len(s.base.Clusters) || len(pending(s.base)) > 0 {
		return false
	}
	for cluster, key := range keys {
		if s.base.Clusters[cluster].RenderKey != key {
			return false
		}
	}
	return true
}

// remove returns the removal of the release of a request that the head does not ask for here any more, with its gates.
func (s picker) remove() *candidate {
	c := &candidate{removal: true, cause: state.CauseRemoval, content: removalOf(s.base)}
	q := &question{subject: s.subject, to: c.content.ReleaseRef}
	q.counts = s.apart(s.Platform.Commit, cmp.Or(s.base.File, s.key.File()))
	q.ask(removal)
	c.answer = q.answer
	return c
}
