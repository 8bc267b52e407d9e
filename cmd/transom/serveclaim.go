package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// claimPatience is how long a daemon waits for the lock of its directory. A daemon that was killed while it started a worker leaves
// a child that has the lock until it executes its own program, a moment later.
const claimPatience = 3 * time.Second

// claimData makes the data directory, if it is not there, and keeps it for this process until release is called or the
// process ends, however it does.
func claimData(ctx context.Context, dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make --data: %w; it must be a directory that the daemon can write to", err)
	}
	file := filepath.Join(dir, "lock")
	lock := flock.New(file, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o640))
	ctx, cancel := context.WithTimeout(ctx, claimPatience)
	defer cancel()
	locked, err := lock.TryLockContext(ctx, 50*time.Millisecond)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("write to --data: %w; it must be a directory that the daemon can write to", err)
	}
	if !locked {
		return nil, fmt.Errorf("another transom serve%s uses --data %s: end it, or give this one a directory of its own", holderOf(file), dir)
	}
	// The process id is for people alone: the lock is the system's, and ends with the process.
	if err := os.WriteFile(file, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o640); err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("write to --data: %w; it must be a directory that the daemon can write to", err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// holderOf names the process that holds a lock, as written in its file.
func holderOf(file string) string {
	content, err := os.ReadFile(file)
	if id := strings.TrimSpace(string(content)); err == nil && id != "" {
		return " (process " + id + ")"
	}
	return ""
}
