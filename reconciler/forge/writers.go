package forge

import (
	"context"
	"sync"
	"time"
)

const (
	// writerTime is how long an answer is used whether somebody may write.
	writerTime = 10 * time.Minute
	// mostWriters bounds how many such answers are kept.
	mostWriters = 1000
)

// writers remember who may write to a repository. The zero value knows nobody; it is safe for concurrent use.
type writers struct {
	mu sync.Mutex
	by map[string]writer
}

type writer struct {
	may   bool
	until time.Time
}

// may says whether somebody may write, and asks where that was not asked a while ago.
func (w *writers) may(ctx context.Context, who string, ask func(context.Context, string) (bool, error)) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if known, ok := w.by[who]; ok && now.Before(known.until) {
		return known.may, nil
	}
	if who == "" {
		return false, nil
	}
	may, err := ask(ctx, who)
	if err != nil {
		return false, err
	}
	if w.by == nil || len(w.by) >= mostWriters {
		w.by = map[string]writer{}
	}
	w.by[who] = writer{may, now.Add(writerTime)}
	return may, nil
}
