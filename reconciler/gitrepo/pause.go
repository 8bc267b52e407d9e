package gitrepo

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// A pause is the time until which a server asked to be spared. It is safe for concurrent use.
type pause struct{ until atomic.Int64 } // in Unix nanoseconds

// begin follows a Retry-After header for as long as at most: a server that names a day by mistake is not waited for that long.
func (p *pause) begin(retryAfter string, most time.Duration) {
	var wait time.Duration
	if seconds, err := strconv.Atoi(retryAfter); err == nil {
		wait = time.Duration(min(seconds, 3600)) * time.Second
	} else if at, err := http.ParseTime(retryAfter); err == nil {
		wait = time.Until(at)
	}
	if wait > 0 {
		p.until.Store(time.Now().Add(min(wait, most)).UnixNano())
	}
}

// err says that the server is not to be asked now; nil: it may be.
func (p *pause) err(now time.Time) error {
	until := time.Unix(0, p.until.Load())
	if !now.Before(until) {
		return nil
	}
	return fmt.Errorf("the server asks to be left alone until %s", until.UTC().Format(time.TimeOnly+" MST"))
}
