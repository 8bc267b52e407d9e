package reconciler

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// ClusterSeen takes a result of the fleet about a cluster. It is meant as fleet.Fleet's ReportCluster.
func (r *Reconciler) ClusterSeen(c fleet.ClusterResult) {
	r.Board.ClusterSeen(status.Cluster{
		Name: c.Cluster, UID: c.UID, Reachable: c.Reachable, Message: c.Err, Problem: c.Problem, Since: c.Since,
		Refusing: c.Refusing,
		Version:  c.Version, Credential: status.Credential{Source: c.Source, User: c.User, Expires: c.Expires, Warning: c.Warning},
	})
	if r.cache.identities.learn(c.Cluster, c.UID) {
		r.wakeSelecting(c.Cluster, "cluster "+c.Cluster+" answered")
	}
	if !c.Reachable {
		why := fmt.Sprintf("cluster %s does not answer: %s", c.Cluster, c.Err)
		for environment := range r.cache.health.clusterLost(c.Cluster, why) {
			r.wakeDependents(environment, "cluster "+c.Cluster+" went away", health)
		}
	}
}

// wakeSelecting asks for a pass over the environments that select a cluster.
func (r *Reconciler) wakeSelecting(cluster, cause string) {
	p := r.cache.readiness.platform()
	if p == nil || p.Clusters[cluster] == nil {
		return
	}
	for name, e := range p.Environments {
		if selects(e, p.Clusters[cluster]) {
			r.cache.loops.wake(cause, urgent, name)
		}
	}
}

// wakeDependents asks for a pass over the environments whose decisions depend on the health of one.
func (r *Reconciler) wakeDependents(environment, cause string, why urgency) {
	if p := r.cache.readiness.platform(); p != nil {
		r.cache.loops.wake(cause, why, p.Graph.Neighbours(environment)...)
	}
}

// Placed takes a result of the fleet about an instance on a cluster. It is meant as fleet.Fleet's Report.
func (r *Reconciler) Placed(result fleet.Result) {
	key := platform.RequestKey{Team: result.Team, Name: result.Request}
	if r.Traces != nil {
		r.Traces.Placed(result)
	}
	r.reportForeign(result)
	if r.cache.health.take(result) {
		why := health
		if result.Health == state.Failed || result.Stuck {
			why = urgent
		}
		defer r.wakeDependents(result.Environment, "health", why)
	}
	if r.cache.health.hear(result) {
		defer r.cache.loops.wake("a value of an output", standing, result.Environment)
	}
	unhindered := result.Foreign == nil && result.Withheld == "" && len(result.Problems) == 0
	removed := result.Absent && result.Settled && !result.Observed && unhindered
	switch {
	case result.Err != nil:
		r.Board.Lost(result.Environment, key, result.Cluster, result.Err.Error())
	case removed:
		r.Board.Removed(result.Environment, key, result.Cluster, names(result.LetGo)...)
	default:
		r.Board.Placed(result.Environment, key, placed(result))
	}
	for _, change := range result.Changes {
		about := []any{
			"environment", result.Environment, "team", result.Team,
			"request", result.Request, "cluster", result.Cluster, "object", change.Object.String(), "cause", change.Reason,
		}
		if change.Before != "" {
			about = append(about, "before", change.Before)
		}
		if change.Corrects {
			r.Board.Corrected(result.Environment, key, result.Cluster, fmt.Sprintf("%s %s: %s", change.Action, change.Object, change.Reason))
		}
		if change.Corrects && r.Figures != nil {
			r.Figures.Corrected(result.Environment, result.Cluster)
		}
		r.Logger.Info(string(change.Action), about...)
	}
}

// Outdated takes the news that the last result about an instance may not be true any more. It is meant as fleet.Fleet's
// Outdated.
func (r *Reconciler) Outdated(environment, cluster string, k platform.RequestKey, at time.Time) {
	r.cache.health.outdate(placement{environment, cluster, k}, at)
}

// Refetch has the fleet told anew of an environment's state, once that was fetched. It is meant as fleet.Fleet's Refetch.
func (r *Reconciler) Refetch(environment string) {
	if l := r.cache.loops.named(environment); l != nil {
		l.inbox.askRefetch("another daemon's writes")
	}
}

// reportForeign tells status whether somebody else keeps an environment on a cluster.
func (r *Reconciler) reportForeign(result fleet.Result) {
	if result.Err != nil || result.Overtaken {
		return
	}
	why := ""
	if result.Foreign != nil {
		why = result.Message
	}
	r.Board.Refused(result.Environment, result.Cluster, why)
}

// LogEvent logs an event of the Board that an operator has to hear of, and with Debug any other. It is meant as status.Board's
// OnEvent: the Board has one event of a fact, as long as it does not change.
func (r *Reconciler) LogEvent(e status.Event) {
	var about []any
	add := func(name, value string) {
		if value != "" {
			about = append(about, name, value)
		}
	}
	add("environment", e.Environment)
	add("cluster", e.Cluster)
	if e.Request != nil {
		add("team", e.Request.Team)
		add("request", e.Request.Name)
	}
	switch e.Level {
	case status.Error:
		r.Logger.Error(e.Message, about...)
	case status.Warning:
		r.Logger.Warn(e.Message, about...)
	default:
		r.Logger.Debug(e.Message, about...)
	}
}

func names(objects []apply.Object) (all []string) {
	for _, o := range objects {
		all = append(all, o.String())
	}
	return all
}

// adoption is the adoption that waits for a person, in the words of status.
func adoption(result fleet.Result) *status.Adoption {
	if result.Adoption == nil {
		return nil
	}
	said := &status.Adoption{Digest: result.Adoption.Digest}
	for _, e := range result.Adoption.Effects {
		said.Effects = append(said.Effects, e.String())
	}
	for _, u := range result.Untried {
		said.Untried = append(said.Untried, u.String())
	}
	return said
}

// mostAdded bounds the fields set by hand that status has of a placement.
const mostAdded = 50

// placed is a fleet's result in the words of status.
func placed(result fleet.Result) status.Placement {
	p := status.Placement{
		Cluster: result.Cluster, Revision: result.Revision, StateCommit: result.Commit,
		Health: result.Health, Message: result.Message, Stage: status.Applied, Withheld: result.Withheld,
		Images: result.Images, Adoption: adoption(result), LetGo: names(result.LetGo),
	}
	p.Objects = slices.Grow(p.Objects, len(result.Objects))
	for _, o := range result.Objects {
		p.Objects = append(p.Objects, status.Object{
			Group: o.Object.Group, Kind: o.Object.Kind, Namespace: o.Object.Namespace, Name: o.Object.Name,
			Health: o.Health, Message: o.Message,
		})
	}
	for _, problem := range result.Problems {
		p.Problems = append(p.Problems, status.ObjectProblem{Object: problem.Object.String(), Message: problem.Message})
	}
	for _, drift := range result.Drift {
		p.Drift = append(p.Drift, status.ObjectProblem{Object: drift.Object.String(), Message: drift.Message})
	}
	for _, a := range result.Added[:min(len(result.Added), mostAdded)] {
		p.Added = append(p.Added, status.Added{Object: a.Object.String(), Field: a.Field, Manager: a.Manager, At: a.At, Agent: a.Agent})
	}
	for _, leaving := range result.Leaving {
		p.Leaving = append(p.Leaving, status.ObjectProblem{Object: leaving.Object.String(), Message: leaving.Message})
	}
	for _, name := range slices.Sorted(maps.Keys(result.Told)) {
		p.Told = append(p.Told, status.Told{Output: name, Value: result.Told[name].Value, Fault: result.Told[name].Fault})
	}
	if result.Foreign != nil {
		p.Problems = append(p.Problems, status.ObjectProblem{Message: result.Message})
	}
	if result.Withheld != "" {
		state := "state of " + platform.RequestKey{Team: result.Team, Name: result.Request}.String()
		p.Problems = append(p.Problems, status.ObjectProblem{Object: state, Message: result.Withheld})
	}
	switch {
	case len(p.Problems) > 0:
		p.Stage = status.Committed
		p.Message = cmp.Or(p.Problems[0].Message, p.Message)
	case result.Health == state.Healthy:
		p.Stage = status.Healthy
		if soaked := result.Checkpoint; soaked.Soaked > 0 && soaked.Revision == result.Revision {
			p.HealthyAt = result.At.Add(-soaked.Soaked)
		}
	case result.Health == state.Unknown:
		p.Stage = status.Committed
	}
	return p
}
