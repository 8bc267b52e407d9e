package fleet

import "transom.dev/render/platform"

// cleaned makes the texts of a result fit to be shown: the messages of pods, API servers and webhooks are text from outside.
func (r *Result) cleaned() {
	r.Message, r.Held = platform.Clean(r.Message), platform.Clean(r.Held)
	for i := range r.Objects {
		r.Objects[i].Message = platform.Clean(r.Objects[i].Message)
	}
	for i := range r.Problems {
		r.Problems[i].Message = platform.Clean(r.Problems[i].Message)
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
