// Package usage says who runs which version of an offering, and which reasons keep a version from being retired.
//
// In come a platform, one of its offerings and the states of the environments, as far as somebody looked at them; out comes a
// Usage, which prints as text or as JSON. Nothing is contacted and nothing written.
package usage

import (
	"fmt"
	"slices"
	"time"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/render/platform"
)

// A Usage lists the versions of an offering with the instances that use them.
type Usage struct {
	Offering   string                `json:"offering"`
	Looked     bool                  `json:"looked"` // at the state of every environment; else the resolved versions stand in
	States     states.States         `json:"states"`
	Versions   []Version             `json:"versions"`
	Unresolved []platform.RequestKey `json:"unresolved,omitempty"` // requests with a Problem: they keep their release
}

// A Version is a version with the instances that use it, and whether it can be retired.
type Version struct {
	catalog.Published
	Instances    []catalog.Instance `json:"instances"`
	Withdrawable bool               `json:"withdrawable"`      // withdrawing it breaks nobody
	Looked       bool               `json:"looked"`            // at the state of every environment
	Removable    bool               `json:"removable"`         // nothing uses it, and somebody looked
	Blocked      []string           `json:"blocked,omitempty"` // the reasons why it cannot be retired, with remedies
}

// Of finds who uses an offering's versions. A version that runs and is published no more is one of them.
func Of(p *platform.Platform, o *platform.Offering, running states.States, now time.Time) *Usage {
	instances := Running(p, o, running)
	u := &Usage{
		Offering: o.Name, Looked: len(running.Names(false)) == 0, States: running, Versions: []Version{}, Unresolved: unresolved(p, o),
	}
	known := catalog.Versions(o, now)
	for _, i := range instances {
		if !slices.ContainsFunc(known, func(v catalog.Published) bool { return v.Version == i.Version }) {
			known = append(known, catalog.Published{Version: i.Version, Lifecycle: "removed"})
		}
	}
	for _, v := range known {
		use := Version{Published: v, Instances: []catalog.Instance{}, Looked: u.Looked}
		for _, i := range instances {
			if i.Version == v.Version {
				use.Instances = append(use.Instances, i)
			}
		}
		var stuck bool
		use.Blocked, stuck = blocked(p, use.Instances)
		use.Removable, use.Withdrawable = len(use.Instances) == 0 && u.Looked, !stuck
		u.Versions = append(u.Versions, use)
	}
	return u
}

// unresolved lists the requests for an offering that have a Problem somewhere.
func unresolved(p *platform.Platform, o *platform.Offering) (all []platform.RequestKey) {
	for _, r := range p.Requests() {
		inSome := r.Broken
		for environment := range r.Spec.Environments {
			inSome = inSome || p.Broken(environment, r.Key)
		}
		if r.Spec.Offering == o.Name && inSome {
			all = append(all, r.Key)
		}
	}
	slices.SortFunc(all, platform.RequestKey.Compare)
	return all
}

// blocked lists the reasons why a version cannot be retired: edits that somebody has to make, without which a request would
// be stuck, and rollouts to wait for.
func blocked(p *platform.Platform, instances []catalog.Instance) (all []string, stuck bool) {
	say := func(format string, args ...any) {
		if line := fmt.Sprintf(format, args...); !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	for _, i := range instances {
		file := i.Request.File()
		switch {
		case p.Request(i.Request) == nil:
			say("%s runs it for %s, which is no longer requested; wait until the removal has arrived", i.Environment, i.Request)
		case i.Wanted != "":
			say("%s runs it for %s, which resolves to %s; wait until that has arrived", i.Environment, i.Request, i.Wanted)
		case i.Constraint == "":
			say("%s runs it for %s, which cannot be resolved there; mend %s", i.Environment, i.Request, file)
		case i.Otherwise == "":
			stuck = true
			say("%s: version %q matches no other published version; change it", file, i.Constraint)
		}
	}
	return all, stuck
}
