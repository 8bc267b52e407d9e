package status

import (
	"time"

	"transom.dev/render/platform"
)

// Environment is the status of one environment.
type Environment struct {
	Name        string             `json:"name"`
	StateURL    string             `json:"stateURL,omitempty"`
	StateBranch string             `json:"stateBranch,omitempty"`
	Commit      string             `json:"commit,omitempty"`      // the platform commit it was last reconciled with
	StateCommit string             `json:"stateCommit,omitempty"` // the head of its state that is deployed
	Did         string             `json:"did,omitempty"`         // the changes of that commit, in a line
	Frozen      string             `json:"frozen,omitempty"`      // why nothing is committed, and how to end that
	Error       string             `json:"error,omitempty"`       // the last pass failed and is tried again
	Problems    []platform.Problem `json:"problems,omitempty"`    // of rendering for it
	Clusters    []Cluster          `json:"clusters,omitempty"`

	PromotesFrom []string   `json:"promotesFrom,omitempty"`
	Order        int        `json:"order"`               // how many environments come before it at most; the Board counts them
	Next         time.Time  `json:"next,omitzero"`       // when something can change here by itself
	Decisions    []Decision `json:"decisions,omitempty"` // the Holds, Pins and Overrides in force: somebody has to take them back one day
	Deletions    string     `json:"deletions,omitempty"` // digest of the deletions that wait for an Approval
	Plan         string     `json:"plan,omitempty"`      // digest of the environment change that waits for an Approval
}

// WithProblems is the environment with these Problems instead of its own.
func (e Environment) WithProblems(problems []platform.Problem) Environment {
	e.Problems = problems
	return e
}

// with is the environment with its clusters and its position in the order of promotion.
func (e Environment) with(clusters []Cluster, order int) Environment {
	e.Clusters, e.Order = clusters, order
	return e
}

// setProblems sets the Problems of rendering for the environment.
func (e *Environment) setProblems(problems []platform.Problem) { e.Problems = problems }

// fail says why the last pass over the environment failed, and reports whether that is news.
func (e *Environment) fail(why string) bool {
	news := e.Error != why
	e.Error = why
	return news
}

// keepNext keeps the time that was known before, where Next is about the same: each pass counts it from the clock anew.
func (e *Environment) keepNext(known time.Time) {
	if e.Next.Sub(known).Abs() < time.Second {
		e.Next = known
	}
}
