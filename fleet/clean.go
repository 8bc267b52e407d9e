package fleet

import "transom.dev/render/platform"

// clean makes the texts of a result fit to be shown: the messages of pods, API servers and webhooks are text from outside.
func (r *Result) clean() {
	r.Message, r.Held = platform.Clean(r.Message), platform.Clean(r.Held)
	for i := range r.Objects {
		r.Objects[i].Message = platform.Clean(r.Objects[i].Message)
	}
	for i := range r.Problems {
		r.Problems[i].Message = platform.Clean(r.Problems[i].Message)
	}
	for i := range r.Untried {
		r.Untried[i].Message = platform.Clean(r.Untried[i].Message)
	}
	if a := r.Adoption; a != nil {
		for i := range a.Effects {
			for n := range a.Effects[i].Fields {
				a.Effects[i].Fields[n] = platform.Clean(a.Effects[i].Fields[n])
			}
		}
	}
	if r.Err != nil {
		r.Err = cleanError{platform.Clean(r.Err.Error()), r.Err}
	}
	for i := range r.Images {
		r.Images[i] = platform.Clean(r.Images[i])
	}
	for i := range r.Drift {
		r.Drift[i].Message = platform.Clean(r.Drift[i].Message)
	}
	for i := range r.Changes {
		r.Changes[i].Reason = platform.Clean(r.Changes[i].Reason)
	}
}

// A cleanError is an error of a cluster whose text is fit to be shown.
type cleanError struct {
	text string
	error
}

func (e cleanError) Error() string { return e.text }
func (e cleanError) Unwrap() error { return e.error }
