// Package catalog describes what a platform offers: the list of its offerings, a page about one of them with who uses it, and
// the rules that everything rendered must keep.
//
// In come a platform and, for the users of an offering, its instances; out comes plain data, which prints as text or as JSON.
// Nothing is contacted and nothing written.
package catalog

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"transom.dev/render/platform"
)

// An Offering is a line of the catalogue.
type Offering struct {
	Name     string      `json:"name"`
	Title    string      `json:"title,omitempty"`
	Owner    string      `json:"owner,omitempty"`
	Teams    []string    `json:"teams"` // empty: every team
	Versions []Published `json:"versions"`
}

// Published is a version of an offering that was published.
type Published struct {
	Version     string `json:"version"`
	Lifecycle   string `json:"lifecycle"`
	Reason      string `json:"reason,omitempty"`
	RemoveAfter string `json:"removeAfter,omitempty"`
	Overdue     bool   `json:"overdue,omitempty"` // that day is over
	Problem     bool   `json:"problem,omitempty"` // it cannot be used; check says why
}

// Offerings lists the offerings of a platform, sorted by name.
func Offerings(p *platform.Platform, now time.Time) []Offering {
	all := []Offering{}
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		all = append(all, offeringOf(p.Offerings[name], now))
	}
	return all
}

func offeringOf(o *platform.Offering, now time.Time) Offering {
	return Offering{Name: o.Name, Title: o.Title, Owner: o.Owner, Teams: append([]string{}, o.Teams...), Versions: Versions(o, now)}
}

// Versions lists the published versions of an offering, newest first.
func Versions(o *platform.Offering, now time.Time) []Published {
	all := []Published{}
	for _, v := range slices.Backward(o.Versions) {
		all = append(all, Published{
			Version: v.Number.String(), Lifecycle: string(v.Lifecycle), Reason: v.Reason, RemoveAfter: v.RemoveAfter,
			Overdue: v.Overdue(now), Problem: v.Broken,
		})
	}
	return all
}

// Table prints the catalogue, a line per offering.
func Table(w io.Writer, all []Offering) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no offerings: \"transom new offering NAME\" starts one")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "OFFERING\tTITLE\tVERSIONS\tFOR\tOWNER")
	for _, o := range all {
		var versions []string
		for _, v := range o.Versions {
			versions = append(versions, v.String())
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", o.Name, o.Title, orDash(strings.Join(versions, ", ")), o.audience(), orDash(o.Owner))
	}
	_ = t.Flush() // fails where w does, and then nobody reads
	fmt.Fprintln(w, "\n\"transom catalog OFFERING\" shows its parameters and an example.")
}

// String is the version with its lifecycle where that is anything but active.
func (v Published) String() string {
	switch {
	case v.Problem:
		return v.Version + " (has a Problem)"
	case v.Lifecycle != string(platform.Active):
		return v.Version + " (" + v.Lifecycle + ")"
	}
	return v.Version
}

// audience says which teams may request an offering.
func (o Offering) audience() string {
	if len(o.Teams) == 0 {
		return "every team"
	}
	return strings.Join(o.Teams, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
