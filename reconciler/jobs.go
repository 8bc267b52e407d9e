package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/check"
	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// A JobRunner runs the Jobs of checks on clusters. *fleet.Fleet is one.
type JobRunner interface {
	RunCheck(ctx context.Context, p fleet.Placement, revision string, of apply.CheckJob) (apply.CheckResult, error)
	SweepChecks(ctx context.Context, environment, cluster string) error
}

// Bounds of checks by Jobs.
const (
	placementsAtOnce = 16              // of one run
	sweepLook        = 5 * time.Second // from one look for clusters to sweep to the next
	sweepEvery       = time.Hour
	sweepRests       = time.Minute // how long a cluster is left alone that could not be swept
)

// jobs run the Jobs of checks beside what environments run.
type jobs struct {
	runner   JobRunner
	platform func() *platform.Platform // the latest; nil: none was loaded yet
	records  *records
	members  func(environment string) []string // its clusters

	mu       sync.Mutex // held while the renderer is used, which serves one caller at a time
	renderer render.Renderer
}

// ask runs the Job of a check beside every placement that is asked about, and reads how they ended. The worst end is the answer.
func (j *jobs) ask(ctx context.Context, of *inquiry.Check, q inquiry.Text) check.Answer {
	run, err := inquiry.ParseRun(q.Run)
	if err != nil {
		return check.Answer{Message: err.Error()}
	}
	answers := make([]check.Answer, len(run.Placements))
	var group errgroup.Group
	group.SetLimit(placementsAtOnce)
	for n, at := range run.Placements {
		group.Go(func() error {
			answers[n] = j.askAt(ctx, of, run, at)
			return nil
		})
	}
	_ = group.Wait() // no answer is an error
	for _, worse := range []func(check.Answer) bool{
		func(a check.Answer) bool { return a.Verdict == promotion.Fails },
		func(a check.Answer) bool { return a.Gone },
		func(a check.Answer) bool { return a.Verdict == "" },
	} {
		if n := slices.IndexFunc(answers, worse); n >= 0 {
			return answers[n]
		}
	}
	var clusters []string
	for _, at := range run.Placements {
		clusters = append(clusters, at.Cluster)
	}
	return check.Answer{Verdict: promotion.Passes, Message: wording.Shorten("passed on " + strings.Join(clusters, ", "))}
}

// askAt runs the Job beside one placement.
func (j *jobs) askAt(ctx context.Context, of *inquiry.Check, run inquiry.Run, at inquiry.Placement) check.Answer {
	e, manifest, err := j.render(of, run, at)
	if err != nil {
		return noAnswer(at, err)
	}
	p := fleet.Placement{Environment: at.Environment, Cluster: at.Cluster, Team: run.Team, Request: run.Request}
	result, err := j.runner.RunCheck(ctx, p, at.Revision, apply.CheckJob{Manifest: manifest, Deadline: of.Timeout, Log: e.Logs})
	switch {
	case err != nil:
		return noAnswer(at, err)
	case !result.Passed:
		return check.Answer{Verdict: promotion.Fails, Message: "on " + at.Cluster + ": " + wording.Clean(result.Message)}
	}
	return check.Answer{Verdict: promotion.Passes}
}

// noAnswer says why there is no answer of a placement.
func noAnswer(at inquiry.Placement, err error) check.Answer {
	return check.Answer{Message: "on " + at.Cluster + ": " + wording.Clean(err.Error()), Gone: errors.Is(err, fleet.ErrMovedOn)}
}

// render renders the Job beside a placement, of the release that its environment's records have at that revision.
func (j *jobs) render(of *inquiry.Check, run inquiry.Run, at inquiry.Placement) (*platform.Environment, []byte, error) {
	p, k := j.platform(), platform.RequestKey{Team: run.Team, Name: run.Request}
	all := j.records.of(at.Environment)
	record := all.Of(k)
	switch {
	case p == nil || p.Environments[at.Environment] == nil:
		return nil, nil, fmt.Errorf("there is no environment %s", at.Environment)
	case record == nil || record.Absent || record.Clusters[at.Cluster].Observed() != at.Revision:
		return nil, nil, fmt.Errorf("%s %w", at.Environment, fleet.ErrMovedOn)
	}
	instances, records, err := recordedWith(p, at.Environment, k, all)
	if err != nil {
		return nil, nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	manifest, err := j.renderer.CheckJob(p, at.Environment, instances, records, k, at.Cluster, render.CheckJob{
		Check: run.Check, Dir: of.Job, Prefix: prefixOf(run, at),
	})
	return p.Environments[at.Environment], manifest, err
}

// recordedWith are the instance of a record and those that it is bound to, sorted by request, with their records.
func recordedWith(p *platform.Platform, environment string, k platform.RequestKey, all state.Records) (
	instances []*platform.Instance, records map[platform.RequestKey]*state.Release, err error,
) {
	records = map[platform.RequestKey]*state.Release{}
	for next := []platform.RequestKey{k}; len(next) > 0; {
		k, next = next[0], next[1:]
		record := all.Of(k)
		if record == nil || record.Absent || records[k] != nil {
			continue
		}
		i, problems := p.InstanceOf(environment, k, record.Request, record.Version, record.VersionDigest, record.File)
		if i == nil {
			for _, problem := range problems {
				return nil, nil, errors.New(problem.String())
			}
			return nil, nil, fmt.Errorf("%s cannot be resolved as %s runs it", k, environment)
		}
		records[k], instances = record, append(instances, i)
		next = slices.AppendSeq(next, maps.Values(i.Bindings))
	}
	slices.SortFunc(instances, func(a, b *platform.Instance) int { return a.Request.Key.Compare(b.Request.Key) })
	return instances, records, nil
}

// prefixOf is the prefix of the names of a Job beside a placement: the same for the same question about the same revision, so that a
// daemon finds the Job that one before it began.
func prefixOf(run inquiry.Run, at inquiry.Placement) string {
	run.Placements = []inquiry.Placement{at}
	digest := sha256.Sum256([]byte(run.String()))
	return run.Request + "-" + hex.EncodeToString(digest[:])[:10] + "-"
}

// sweep deletes the Jobs that a daemon before this one left, until ctx is done.
func (j *jobs) sweep(ctx context.Context) {
	swept := map[sweptCluster]time.Time{}
	timer := time.NewTicker(sweepLook)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			j.sweepDue(ctx, swept)
		}
	}
}

// A sweptCluster is the part of a cluster that one environment writes to.
type sweptCluster struct{ environment, cluster string }

// sweepDue sweeps the clusters that were not swept for an hour. One that cannot be swept now is tried again in a minute; in the end the clusters
// delete by themselves what is left.
func (j *jobs) sweepDue(ctx context.Context, swept map[sweptCluster]time.Time) {
	p := j.platform()
	if p == nil {
		return
	}
	for environment := range besides(p) {
		for _, cluster := range j.members(environment) {
			at := sweptCluster{environment, cluster}
			if time.Since(swept[at]) < sweepEvery {
				continue
			}
			swept[at] = time.Now()
			if err := j.runner.SweepChecks(ctx, environment, cluster); err != nil {
				swept[at] = swept[at].Add(sweepRests - sweepEvery)
			}
		}
	}
}

// besides are the environments beside whose instances Jobs of checks may run.
func besides(p *platform.Platform) map[string]bool {
	all := map[string]bool{}
	for name, e := range p.Environments {
		if slices.ContainsFunc(e.Gates.Checks, func(c *inquiry.Check) bool { return c.Job != "" }) {
			for _, up := range p.Graph.Upstream(name) {
				all[up] = true
			}
		}
	}
	return all
}
