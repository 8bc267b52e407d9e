package api

import (
	"time"

	"transom.dev/render/platform"
)

// Activity is a commit of the platform repository or of an environment's state, as it came to the branch: who changed which things.
type Activity struct {
	Commit      string    `json:"commit"`
	Environment string    `json:"environment,omitempty"` // whose state the commit is in; empty: it is in the platform repository
	When        time.Time `json:"when"`
	Author      string    `json:"author"`              // of the change; in a state, of the platform commit that the daemon followed
	MergedBy    string    `json:"mergedBy,omitempty"`  // who merged the change, where that is somebody else
	Committer   string    `json:"committer,omitempty"` // who made the commit, where that is neither of them: of a state, Transom
	Subject     string    `json:"subject"`
	Touched     []Touched `json:"touched"`
	More        bool      `json:"more,omitempty"` // it touched more things than are listed
}

// Touched is a thing that a commit changed: a file of the platform repository, or a release in a state.
type Touched struct {
	Kind        string               `json:"kind"` // see ActivityKinds
	Name        string               `json:"name"`
	Request     *platform.RequestKey `json:"request,omitempty"`     // that it is about
	Environment string               `json:"environment,omitempty"` // that it is about
	File        string               `json:"file"`
	Changes     []string             `json:"changes"` // in words: added, changed or removed; of a release, its events
}

// ActivityKinds are the kinds of things that commits touch. A release is what a state has of a request; all others are what people write.
var ActivityKinds = []string{"request", "release", "offering", "environment", "cluster", "policy", "decision", "notification", "other"}

// ActivityQuery selects commits. An empty field selects all.
type ActivityQuery struct {
	Team        string
	Request     string
	Environment string
	Kind        string
	Repository  string // platform, which people write, or states, which the daemon writes
	Limit       int
	After       string // commits behind the page whose Next this is
}

// ActivityPage is a part of the selected commits, the latest first.
type ActivityPage struct {
	Items []Activity
	Next  string    // for the commits behind these; empty: there are none
	Back  time.Time // when the last commit was made that was looked at, where there are more
}
