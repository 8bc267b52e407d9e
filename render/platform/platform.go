package platform

import (
	"cmp"
	"fmt"
	"strings"
)

// Platform is one snapshot of a platform repository. It is read-only once loaded.
type Platform struct {
	// Commit is the commit that the snapshot was taken from; Load leaves it empty, its caller sets it.
	Commit string

	Offerings    map[string]*Offering
	Requests     map[RequestKey]*Request
	Environments map[string]*Environment
	Clusters     map[string]*Cluster
	Policies     map[string]*Policy
	Decisions    []*Decision

	// Problems holds every Problem and Warning, sorted by file, line, column and text.
	Problems []Problem
}

// RequestKey names a request in its platform: the directory and the file below requests/.
type RequestKey struct {
	Team string `json:"team"`
	Name string `json:"name"`
}

// String is the form TEAM/REQUEST that people write.
func (k RequestKey) String() string { return k.Team + "/" + k.Name }

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
