package api

import "time"

// Branch is a branch of the platform repository.
type Branch struct {
	Branch string `json:"branch"`
	Commit string `json:"commit"`
}

// Plan has the changes that merging a branch of the platform repository would make.
type Plan struct {
	Branch
	Platform string    `json:"platform"` // the platform commit that it is merged into
	States   []State   `json:"states"`   // of the environments, that it is compared with
	Made     time.Time `json:"made,omitzero"`
	Making   bool      `json:"making,omitempty"` // it is being made: ask again
	Failed   bool      `json:"failed,omitempty"` // none could be made; the text says why
	Markdown string    `json:"markdown,omitempty"`
	DiffsOf  *[]string `json:"diffsOf,omitempty"` // the teams whose differences it has, sorted; absent: all
}

// Draft is the content of a file of the platform repository that nobody committed yet. Its plan is made once, and again for another value of
// Asked. Of the plans that Person waits for, the latest one is made.
type Draft struct{ File, Content, Asked, Person string }

// State is the state commit of an environment.
type State struct {
	Environment string `json:"environment"`
	Commit      string `json:"commit"`
}
