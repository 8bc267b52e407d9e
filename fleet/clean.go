package fleet

import (
	"transom.dev/render/wording"
)

// clean makes the texts of a result fit to be shown: the messages of pods, API servers and webhooks are text from outside.
func (r *Result) clean() {
	r.Clean(wording.Clean)
	if r.Err != nil {
		r.Err = cleanError{wording.Clean(r.Err.Error()), r.Err}
	}
}

// A cleanError is an error of a cluster whose text is fit to be shown.
type cleanError struct {
	text string
	error
}

func (e cleanError) Error() string { return e.text }
func (e cleanError) Unwrap() error { return e.error }
