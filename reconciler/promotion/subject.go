package promotion

import (
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A subject is a request of the environment on its way through Choose.
type subject struct {
	*facts
	key  platform.RequestKey
	base *state.Release     // the record from now on; nil: nothing was ever here
	head *platform.Instance // that the head asks for; nil: none, or it is broken

	records map[platform.RequestKey]*state.Release // that are to be written, with base once it is edited
	edited  bool                                   // base is a copy that may be changed

	resolved bool // these are known:
	running  *platform.Instance
	broken   []Gate
}

// edit returns the record to change.
func (s *subject) edit() *state.Release {
	if !s.edited {
		s.base, s.edited = s.base.Clone(), true
		s.records[s.key] = s.base
	}
	return s.base
}

// has reports whether a release is the one of the record.
func (s *subject) has(digest string) bool { return s.base != nil && s.base.Digest == digest }

// offering is that of the release that runs, or else of the instance at the head.
func (s *subject) offering() string {
	switch {
	case s.base != nil:
		return s.base.Offering
	case s.head != nil:
		return s.head.Offering.Name
	}
	return ""
}

// current returns the instance of the release that a request has here; nil where there is nothing, or where it cannot be
// resolved any more: then its last bytes stay, and the gate says why.
func (s *subject) current() (*platform.Instance, []Gate) {
	if !s.resolved {
		s.running, s.broken = s.resolveCurrent()
		s.resolved = true
	}
	return s.running, s.broken
}

func (s *subject) resolveCurrent() (*platform.Instance, []Gate) {
	switch {
	case !runs(s.base):
		return nil, nil
	case s.head != nil && s.head.Release == s.base.Digest:
		return s.head, nil
	}
	i, problems := s.Lookup.Resolve(s.key, ContentOf(s.base))
	if i != nil && i.Release != s.base.Digest {
		i = nil // the environment resolves the version itself, and to another one by now
	}
	return i, problem(problems)
}

// desert remembers the release that was healthy here when the files of all its clusters are gone: the record is let go of
// them, and when one comes back it is no older release that a failure goes back to.
func (s *subject) desert() {
	if !wasHealthy(s.base) {
		return
	}
	for cluster := range s.base.Clusters {
		if s.Platform.Clusters[cluster] != nil {
			return
		}
	}
	s.edit().Desert(s.history.ran(s.base))
}
