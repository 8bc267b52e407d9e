package web

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/time/rate"
)

// So often people may ask for a look.
const (
	lookRate  rate.Limit = 1 // a second
	lookBurst int        = 5
)

// A Looked is the result of asking one repository whether it moved.
type Looked struct {
	Environment string `json:"environment,omitempty"` // whose state it has; empty: it is the platform's
	Repository  string `json:"repository"`
	Moved       bool   `json:"moved"`
	Error       string `json:"error,omitempty"` // why it could not be asked
}

// A looker has the daemon look.
type looker struct {
	look  func(context.Context) []Looked
	limit *rate.Limiter
}

func newLooker(look func(context.Context) []Looked) *looker {
	return &looker{look, rate.NewLimiter(lookRate, lookBurst)}
}

// reconcile asks for a look at every repository, and a pass over every environment.
func (l *looker) reconcile(w http.ResponseWriter, r *http.Request) error {
	if l.look == nil {
		return fmt.Errorf("a daemon to look: %w", ErrNotFound)
	}
	if !l.limit.Allow() {
		w.Header().Set("Retry-After", "1")
		return refuse(http.StatusTooManyRequests, "asked too often: a look is under way")
	}
	return writeJSON(w, r, l.look(r.Context()))
}
