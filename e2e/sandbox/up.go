package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// up are the arguments and flags of "sandbox up".
type up struct {
	dir      string
	clusters []string
	apiOnly  bool
	audit    bool
}

func upCommand() *cobra.Command {
	var u up
	cmd := &cobra.Command{
		Use:   "up --dir D --clusters NAME,NAME…",
		Short: "Start a control plane per cluster and keep them running",
		Long: `Start a control plane per cluster and keep them running.

Each cluster is an API server with etcd, a controller manager, a scheduler and kwok, which plays one node and its
volumes. Prints a line per step and, when all are ready, one line that begins with "ready". Ends, and takes
everything down, on SIGTERM, on Ctrl-C and when the process that started it is gone.

Pods become ready at once, but by the tag of a container's image:
  :broken   never starts: ErrImagePull
  :crash    ends with exit code 1 again and again: CrashLoopBackOff
  :slow     is ready after ten seconds
Pods of Jobs complete. Claims are bound to volumes at once, and of the storage class kwok-volume-wait once their pod
is placed. Objects of kind Bucket (storage.acme.example) get the status that a storage controller would give them;
spec.region "nowhere" fails.`,
		Example: `  sandbox up --dir /tmp/sandbox --clusters dev,staging,prod-eu-1,prod-us-1
  kubectl --kubeconfig /tmp/sandbox/kubeconfigs/dev.kubeconfig get nodes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return u.run(untilOrphaned(cmd.Context()), cmd.OutOrStdout())
		},
	}
	dirFlag(cmd, &u.dir)
	cmd.Flags().StringSliceVar(&u.clusters, "clusters", []string{"dev"}, "names of the clusters")
	cmd.Flags().BoolVar(&u.audit, "audit", false, "log the requests of ServiceAccounts to logs/CLUSTER/audit.log, a JSON object a line")
	cmd.Flags().BoolVar(&u.apiOnly, "api-only", false, "API servers alone: nothing runs pods, everything is allowed")
	return cmd
}

// run starts the sandbox and returns once it was told to end, or could not go on, and everything is down again.
func (u up) run(ctx context.Context, stdout io.Writer) error {
	if err := u.check(); err != nil {
		return err
	}
	dir, err := filepath.Abs(u.dir)
	if err != nil {
		return fmt.Errorf("resolve --dir: %w", err)
	}
	s := &sandbox{layout: layout(dir), apiOnly: u.apiOnly, audit: u.audit, launch: newLauncher(), report: reporter(stdout)}
	control, err := s.listen(ctx)
	if err != nil {
		return err
	}
	defer control.Close()
	if err := s.run(ctx, u.clusters, control); ctx.Err() == nil {
		return err
	}
	return nil // told to end
}

var clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

func (u up) check() error {
	seen := map[string]bool{}
	for _, name := range u.clusters {
		if !clusterName.MatchString(name) {
			return fmt.Errorf("--clusters: %q is no name for a cluster; use lower case letters, digits and dashes", name)
		}
		if seen[name] {
			return fmt.Errorf("--clusters: %q is named twice", name)
		}
		seen[name] = true
	}
	return nil
}

// reporter prints progress, a line at a time.
func reporter(w io.Writer) func(format string, args ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, format+"\n", args...)
	}
}

// untilOrphaned is done as soon as the process that started us is gone: whoever it was, it can no longer end us.
func untilOrphaned(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		defer cancel()
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return ctx
}
