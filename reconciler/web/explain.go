package web

import (
	"fmt"
	"net/http"
	"time"

	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Question names an instance whose origin is asked for, and, if it is about one placement, the cluster.
type Question struct {
	Environment string
	Request     platform.RequestKey
	Cluster     string
}

// Trace leads from the release that runs to the person who asked for it: state commit, Release file with its gates, platform
// commit, request file and line, and the files of the offering's version.
type Trace struct {
	Environment string              `json:"environment"`
	Request     platform.RequestKey `json:"request"`
	Cluster     string              `json:"cluster,omitempty"`
	State       Origin              `json:"state"`             // the commit that last wrote the manifests, and their file
	Release     *state.Release      `json:"release,omitempty"` // as the state has it now
	ReleaseFile string              `json:"releaseFile"`       // its path in the state repository

	// Earlier is the release whose bytes these are, where the cluster's turn for Release has not come. The following fields
	// are then about it.
	Earlier *state.Release `json:"earlier,omitempty"`

	Platform    Origin `json:"platform"`         // the commit that yielded the release; its file is the version's directory
	RequestFile Origin `json:"requestFile"`      // the commit that last changed the request's file by then, and its line
	Version     Origin `json:"version,omitzero"` // the commit that last changed the version's directory by then, and its version.yaml
}

// Origin is a file of a repository and the commit that it comes from.
type Origin struct {
	URL     string    `json:"url,omitempty"`
	Commit  string    `json:"commit"`
	File    string    `json:"file"`
	Line    int       `json:"line,omitempty"`   // from 1, where one says it
	Author  string    `json:"author,omitempty"` // NAME <ADDRESS>
	When    time.Time `json:"when,omitzero"`
	Subject string    `json:"subject,omitempty"`
}

// explainParameters are those of a Question.
type explainParameters struct {
	Team        string `query:"team" required:"true" doc:"The team."`
	Request     string `query:"request" required:"true" doc:"The request of the team."`
	Environment string `query:"environment" required:"true" doc:"The environment."`
	Cluster     string `query:"cluster" doc:"The cluster, where the question is about one placement."`
}

func (s *server) explain(r *http.Request, p explainParameters) (t Trace, err error) {
	if s.Explain == nil {
		return t, refuse(http.StatusNotFound, "this daemon does not answer explain").
			mendedBy("run transom explain in a clone of the platform repository")
	}
	return s.Explain(r.Context(), Question{
		Environment: p.Environment, Request: platform.RequestKey{Team: p.Team, Name: p.Request}, Cluster: p.Cluster,
	})
}

// listHistory lists the commits that changed an instance.
func (s *server) listHistory(r *http.Request, p instancePath) ([]console.Past, error) {
	if s.Past == nil {
		return nil, fmt.Errorf("the history of states: %w", ErrNotFound)
	}
	past, err := s.Past(r.Context(), Question{Environment: p.Environment, Request: p.key()})
	if past == nil {
		past = []console.Past{}
	}
	return past, err
}
