package web

import (
	"net/http"
	"time"

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
	Release     *state.Release      `json:"release,omitempty"` // as the state holds it now
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

func (s *server) explain(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	selected, err := parameters(q, "cluster")
	if err != nil {
		return err
	}
	if selected.environment == "" || selected.request == "" {
		return refuse(http.StatusBadRequest, "explain needs environment=, team= and request=")
	}
	if s.Explain == nil {
		return refuse(http.StatusNotFound, "this daemon does not answer explain")
	}
	trace, err := s.Explain(r.Context(), Question{
		Environment: selected.environment,
		Request:     platform.RequestKey{Team: selected.team, Name: selected.request},
		Cluster:     q.Get("cluster"),
	})
	if err != nil {
		return err
	}
	return writeJSON(w, r, trace)
}
