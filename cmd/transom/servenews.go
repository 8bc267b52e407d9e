package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/spf13/pflag"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/event"
)

// reasons are those of the Kubernetes Events of each kind of event that an instance can have.
var reasons = map[event.Kind]string{
	event.Approval: "WaitsForApproval", event.Promoted: "Promoted", event.Failed: "Failed", event.RolledBack: "RolledBack",
	event.Problem: "Problem", event.Recovered: "Recovered", event.Drift: "Drifted",
}

// newsOptions say whether clusters are told of the changes of their instances.
type newsOptions struct{ told bool }

func (o *newsOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.told, "kubernetes-events", true,
		"have clusters create Kubernetes Events of the changes of their instances, on the ConfigMaps in transom-system that are their inventories")
}

// start has clusters create Events of the Board's, beside the log and the notifications.
func (o *newsOptions) start(duty func(func(context.Context) error), board *status.Board, f *fleet.Fleet, figures *web.Figures, logger *slog.Logger) {
	if !o.told {
		return
	}
	before, failing := board.OnEvent, failing{logger: logger, clusters: map[string]bool{}}
	recorder := fleet.NewRecorder(f, func(cluster string, err error) { figures.Recorded(cluster, failing.outcome(cluster, err)) })
	duty(recorder.Run)
	board.OnEvent = func(e status.Event) {
		before(e)
		if n, told := newsOf(e); told {
			recorder.Record(n)
		}
	}
}

// newsOf is an event of the Board in the words of a Kubernetes Event; false: it is none of an instance, or no news.
func newsOf(e status.Event) (fleet.News, bool) {
	reason := reasons[e.Kind]
	if reason == "" || e.Found || e.Request == nil || e.Environment == "" {
		return fleet.News{}, false
	}
	return fleet.News{
		Placement: fleet.Placement{Environment: e.Environment, Cluster: e.Cluster, Team: e.Request.Team, Request: e.Request.Name},
		News:      apply.News{Reason: reason, Note: e.Message, Warning: e.Level != "" && e.Kind != event.Recovered},
	}, true
}

// failing logs once that a cluster takes no Events, and once that it takes them again.
type failing struct {
	logger *slog.Logger

	mu       sync.Mutex
	clusters map[string]bool
}

// outcome is how the way of an Event ended, for the metric.
func (f *failing) outcome(cluster string, err error) string {
	if errors.Is(err, fleet.ErrDropped) {
		return "dropped"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch before := f.clusters[cluster]; {
	case err != nil && !before:
		f.logger.Warn("no Kubernetes Events created: apply the rights of \"transom install --target\" again, or give --kubernetes-events=false",
			"cluster", cluster, "err", err)
	case err == nil && before:
		f.logger.Info("Kubernetes Events created again", "cluster", cluster)
	}
	if f.clusters[cluster] = err != nil; err != nil {
		return "failed"
	}
	return "created"
}
