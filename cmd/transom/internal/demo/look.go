package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/state"
)

// everyoneRuns returns an error unless both requests run a version in an environment, healthy on all clusters.
func everyoneRuns(s status.Status, environment, version string) error {
	for _, k := range told {
		in := find(s, environment, k)
		if in == nil || in.Version != version || in.Rollout != nil {
			return fmt.Errorf("%s does not run %s in %s yet", k.request(), version, environment)
		}
		for _, p := range in.Placements {
			if !p.IsHealthy() {
				return fmt.Errorf("%s is not healthy on %s: %s", k.request(), p.Cluster, p.Message)
			}
		}
	}
	return nil
}

// asked returns the gate at which a version waits for a person in prod.
func asked(s status.Status, version string) (status.Gate, error) {
	for _, k := range told {
		in := find(s, "prod", k)
		if in == nil || in.Candidate == nil || in.Candidate.Version != version {
			continue
		}
		for _, g := range in.Waiting {
			if g.Name == gate.Approval {
				return g, nil
			}
		}
	}
	return status.Gate{}, fmt.Errorf("%s %s does not wait for an approval in prod", toldOffering, version)
}

// find returns a told request in an environment; nil: it is not there.
func find(s status.Status, environment string, k deployment) *status.Instance {
	for n := range s.Instances {
		if in := &s.Instances[n]; in.Environment == environment && in.Request == k.request() {
			return in
		}
	}
	return nil
}

// agree looks at the API servers of an environment: both deployments are available there, with the image that runs.
func (i *inspector) agree(ctx context.Context, environment string) error {
	for _, cluster := range i.clusters() {
		if i.platform.Clusters[cluster].Labels["environment"] != environment {
			continue
		}
		for _, k := range told {
			found, err := i.on(ctx, cluster, k)
			if err == nil {
				err = errors.Join(image(goodImage)(found), available(found))
			}
			if err != nil {
				return fmt.Errorf("status calls %s healthy on %s, but %w", k, cluster, err)
			}
		}
	}
	return nil
}

// watch shows where the told requests stand until check returns nil.
func (i *inspector) watch(ctx context.Context, check func(status.Status) error) error {
	shown := time.Now()
	err := i.until(ctx, func(ctx context.Context) error {
		s, err := i.client.Status(ctx, client.Selection{})
		if err != nil {
			return err
		}
		if i.screen.Live || time.Since(shown) > glanceEvery {
			i.screen.Show(i.standing(s)...)
			shown = time.Now()
		}
		return check(s)
	})
	if i.screen.Live {
		i.screen.End()
	}
	return err
}

// standing is a line for each told request: the version in each environment, and the gates that it waits for.
func (i *inspector) standing(s status.Status) (lines []string) {
	for _, k := range told {
		line, wait := fmt.Sprintf("  %-18s", k.request()), ""
		for _, environment := range []string{"dev", "staging", "prod"} {
			in := find(s, environment, k)
			if in == nil {
				continue
			}
			line += fmt.Sprintf("  %s %s", environment, i.paint.Bold(in.Version))
			for _, p := range in.Placements {
				if p.Health != state.Healthy && wait == "" && p.Message != "" {
					wait = p.Cluster + ": " + p.Message
				}
			}
			if len(in.Waiting) > 0 && wait == "" {
				wait = environment + " waits: " + in.Waiting[0].Reason
			}
		}
		lines = append(lines, line+"  "+i.paint.Faint(wait))
	}
	return lines
}

// sameBytes makes sure that a cluster's state is the one of before the bad version: the last change undid the one before.
func (i *inspector) sameBytes(ctx context.Context, cluster string) error {
	file := state.ManifestFile(cluster, told[0].request())
	commits, err := i.repos.git(ctx, i.prod(), "log", "-3", "--format=%H", "main", "--", file)
	if err != nil {
		return err
	}
	var blobs []string
	for _, commit := range strings.Fields(commits) {
		blob, err := i.repos.git(ctx, i.prod(), "rev-parse", commit+":"+file)
		if err != nil {
			return err
		}
		blobs = append(blobs, blob)
	}
	if len(blobs) != 3 || blobs[0] != blobs[2] || blobs[0] == blobs[1] {
		return fmt.Errorf("%s is not what it was before: %q", file, blobs)
	}
	return nil
}

// prod is where prod's state repository is.
func (i *inspector) prod() string {
	return remote.Resolve(i.repos.platform, i.platform.Environments["prod"].State.URL)
}

// cause is the failure on the cluster where it happened: the clusters that were still to come are rejected with it.
func cause(failures []status.Failure) (failed status.Failure) {
	for _, failed = range failures {
		if strings.HasPrefix(failed.Message, failed.Cluster+":") {
			break
		}
	}
	return failed
}

// failuresOf are the failures of a version.
func failuresOf(in *status.Instance, version string) []status.Failure {
	return slices.DeleteFunc(slices.Clone(in.Rejected), func(f status.Failure) bool { return f.Version != version })
}
