package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"transom.dev/reconciler/web/access"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// changesPath names a version, and the one that it is compared with.
type changesPath struct {
	versionPath
	From string `query:"from" doc:"The number of the version to compare with, or a constraint; the one before where it is left out."`
}

// comparing answers questions about versions, and how they differ.
type comparing struct{ *server }

// findVersion finds the version that a path names.
func (s comparing) findVersion(p versionPath) (*platform.Offering, *platform.Version, error) {
	all := s.Board.Status().Platform
	if err := unread(all); err != nil {
		return nil, nil, err
	}
	offers := all.Offers()
	o := offers.Offerings[p.Offering]
	if o == nil {
		return nil, nil, notKnown(p.noun(), p.Offering, slices.Sorted(maps.Keys(offers.Offerings)))
	}
	v, err := versionOf(o, p.Version)
	return o, v, err
}

// versionOf is the version of an offering that has a number, or that a constraint means.
func versionOf(o *platform.Offering, number string) (*platform.Version, error) {
	v := o.Version(number)
	if v == nil {
		v = o.Match(number)
	}
	if v == nil {
		return nil, refuse(http.StatusNotFound, "%s has no version %s", o.Name, wording.Shorten(number))
	}
	return v, nil
}

// findContract finds that of the version that a path names.
func (s comparing) findContract(_ *http.Request, p versionPath) (c api.Contract, err error) {
	_, v, err := s.findVersion(p)
	if err != nil {
		return c, err
	}
	return api.ContractOf(v), nil
}

// findChanges finds those of the version that a path names against another one.
func (s comparing) findChanges(r *http.Request, p changesPath) (c api.VersionChanges, err error) {
	o, v, err := s.findVersion(p.versionPath)
	if err != nil {
		return c, err
	}
	from := o.Before(v)
	if p.From != "" {
		if from, err = versionOf(o, p.From); err != nil {
			return c, err
		}
	}
	switch {
	case s.Changes == nil:
		return c, refuse(http.StatusNotFound, "this daemon compares no versions").mendedBy("run transom diff in a clone of the platform repository")
	case v.Broken:
		return c, refuse(http.StatusConflict, "%s has a Problem", v).mendedBy("mend what /api/v1/problems says of its file")
	case from == nil:
		return c, refuse(http.StatusNotFound, "%s has no version before %s", o.Name, v.Number)
	case from.Broken:
		return c, refuse(http.StatusConflict, "%s has a Problem", from).mendedBy("mend what /api/v1/problems says of its file")
	}
	return s.changesFor(r, from, v)
}

// changesFor are the changes of a version for whoever asks: the lines of files are for developers.
func (s comparing) changesFor(r *http.Request, from, to *platform.Version) (c api.VersionChanges, err error) {
	if c, err = s.Changes(from, to); err != nil {
		return c, fmt.Errorf("compare %s with %s: %w", to, from, err)
	}
	if access.Of(r.Context()).Role < access.Developer {
		c.Files = slices.Clone(c.Files)
		for i := range c.Files {
			c.Files[i].Diff, c.Files[i].Omitted = "", "its lines are for developers"
		}
	}
	return c, nil
}
