package inquiry

import (
	"encoding/json"
	"fmt"
)

// A Run is the question of a check by Jobs: whether the Job of a directory ends well beside the placements of a request.
type Run struct {
	Asker      string      `json:"asker"` // the environment of the check
	Check      string      `json:"check"`
	Dir        string      `json:"dir"` // in the version's directory
	Team       string      `json:"team"`
	Request    string      `json:"request"`
	Placements []Placement `json:"placements"` // sorted
}

// A Placement is one, at the revision that is asked about.
type Placement struct {
	Environment string `json:"environment"`
	Cluster     string `json:"cluster"`
	Revision    string `json:"revision"` // as state.Placement.Observed
}

// String is the form of a run in a Text: the same for the same run.
func (r Run) String() string {
	text, err := json.Marshal(r)
	if err != nil {
		return "" // no field of it can fail
	}
	return string(text)
}

// ParseRun reads the form of a run.
func ParseRun(text string) (r Run, err error) {
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Run{}, fmt.Errorf("read the run of a check: %w", err)
	}
	return r, nil
}
