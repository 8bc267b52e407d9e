package trigger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quietTime is how long a directory must be quiet before it is read: whoever rotates a file writes it in steps.
const quietTime = 20 * time.Millisecond

// Kubeconfigs calls changed with a cluster's name whenever the content of dir/<cluster>.kubeconfig changed,
// or the file appeared or vanished, until ctx is done. Files may be symbolic links that are switched as a whole,
// as Kubernetes does with mounted Secrets.
func Kubeconfigs(ctx context.Context, dir string, changed func(cluster string)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(dir); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	known := kubeconfigs(dir, watcher)
	quiet := time.NewTimer(quietTime)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch %s: %w", dir, err)
			}
			quiet.Reset(quietTime)
		case <-watcher.Events:
			quiet.Reset(quietTime)
		case <-quiet.C:
			now := kubeconfigs(dir, watcher)
			for _, cluster := range differing(known, now) {
				changed(cluster)
			}
			known = now
		}
	}
}

// kubeconfigs digests the kubeconfigs of a directory by cluster. One that cannot be read counts as absent. Where one is
// a link, its target is watched too.
func kubeconfigs(dir string, watcher *fsnotify.Watcher) map[string][sha256.Size]byte {
	digests := map[string][sha256.Size]byte{}
	files, _ := filepath.Glob(filepath.Join(dir, "*.kubeconfig")) // the pattern is sound
	for _, file := range files {
		if target, err := filepath.EvalSymlinks(file); err == nil {
			_ = watcher.Add(filepath.Dir(target)) // gone meanwhile: then there is an event for that
		}
		if data, err := os.ReadFile(file); err == nil {
			digests[strings.TrimSuffix(filepath.Base(file), ".kubeconfig")] = sha256.Sum256(data)
		}
	}
	return digests
}

// differing lists the clusters whose digest is not the same in both.
func differing(before, after map[string][sha256.Size]byte) []string {
	var clusters []string
	for cluster, digest := range after {
		if before[cluster] != digest {
			clusters = append(clusters, cluster)
		}
	}
	for cluster := range before {
		if _, there := after[cluster]; !there {
			clusters = append(clusters, cluster)
		}
	}
	return clusters
}
