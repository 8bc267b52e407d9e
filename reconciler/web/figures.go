package web

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"transom.dev/reconciler/status"
	"transom.dev/render/state"
)

// Figures counts events while the daemon runs: the passes, and the milestones of releases. It is safe for concurrent use.
type Figures struct {
	passes     *prometheus.HistogramVec
	lead       *prometheus.HistogramVec
	waited     *prometheus.HistogramVec
	releases   *prometheus.CounterVec
	promotions *prometheus.CounterVec
	failures   *prometheus.CounterVec
	rollbacks  *prometheus.CounterVec
	corrected  *prometheus.CounterVec
	hooks      *prometheus.CounterVec
	told       *prometheus.CounterVec
	asked      *prometheus.HistogramVec
	recorded   *prometheus.CounterVec
	limited    prometheus.Counter
}

// long are the bounds of durations from seconds to days.
var long = []float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600}

// NewFigures returns figures that are all zero.
func NewFigures() *Figures {
	histogram := func(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	f := &Figures{
		passes:     histogram("transom_pass_seconds", "How long a phase of a pass took.", prometheus.ExponentialBuckets(.001, 4, 9), "environment", "phase"),
		lead:       histogram("transom_lead_seconds", "From the merge of a release until it was healthy on all its clusters.", long, "environment"),
		waited:     histogram("transom_gate_wait_seconds", "How long a gate was waited for that opened.", long, "environment", "gate"),
		releases:   counter("transom_releases_total", "Rollouts that entered the environment, by what caused them.", "environment", "cause"),
		promotions: counter("transom_promotions_total", "Releases that entered the environment from another.", "environment", "from"),
		failures:   counter("transom_failures_total", "Rollouts that failed.", "environment"),
		corrected:  counter("transom_drift_corrected_total", "Objects that others had changed and that were set back.", "environment", "cluster"),
		rollbacks:  counter("transom_rollbacks_total", "Rollouts that went back to what was healthy before.", "environment"),
		hooks:      counter("transom_hook_calls_total", "Calls of Git servers that something was pushed, by outcome.", "outcome"),
		recorded:   counter("transom_kubernetes_events_total", "Kubernetes Events of the changes of instances, by outcome: created, failed or dropped.", "cluster", "outcome"),
		told:       counter("transom_notifications_total", "Messages to people's chats, mailboxes and programs, by outcome: sent, failed or dropped.", "target", "outcome"),
	}
	f.limited = prometheus.NewCounter(prometheus.CounterOpts{Name: "transom_requests_limited_total", Help: "Requests of clients that asked more often than they may."})
	f.asked = histogram("transom_check_seconds", "How long the party of a check took to answer, by the answer: passes, fails, or none.",
		prometheus.ExponentialBuckets(.01, 4, 7), "environment", "check", "answer")
	for _, outcome := range hookOutcomes {
		f.hooks.WithLabelValues(outcome)
	}
	return f
}

// Asked takes how long the party of a check took, and its answer; empty: it gave none.
func (f *Figures) Asked(environment, check, answer string, took time.Duration) {
	f.asked.WithLabelValues(environment, check, cmp.Or(answer, "none")).Observe(took.Seconds())
}

// Hook counts a call of a Git server. It is meant as Hooks' Counted.
func (f *Figures) Hook(outcome string) { f.hooks.WithLabelValues(outcome).Inc() }

// Limited counts a request of a client that asked more often than it may. It is meant as Options' Limited.
func (f *Figures) Limited() { f.limited.Inc() }

// Notifiable has the counters of targets begin with zero.
func (f *Figures) Notifiable(targets []string, outcomes ...string) {
	for _, target := range targets {
		for _, outcome := range outcomes {
			f.told.WithLabelValues(target, outcome)
		}
	}
}

// Notified counts a message to a target.
func (f *Figures) Notified(target, outcome string) { f.told.WithLabelValues(target, outcome).Inc() }

// Recorded counts a Kubernetes Event that a cluster was to create.
func (f *Figures) Recorded(cluster, outcome string) {
	f.recorded.WithLabelValues(cluster, outcome).Inc()
}

// Pass takes how long a phase of a pass over an environment took; phase "" is the whole pass.
func (f *Figures) Pass(environment, phase string, took time.Duration) {
	if phase == "" {
		phase = "pass"
		f.failures.WithLabelValues(environment) // a counter that began with 1 would not be seen to increase
		f.rollbacks.WithLabelValues(environment)
	}
	f.passes.WithLabelValues(environment, phase).Observe(took.Seconds())
}

// Corrected counts an object that others had changed. It is meant as reconciler.Reconciler's Corrected.
func (f *Figures) Corrected(environment, cluster string) {
	f.corrected.WithLabelValues(environment, cluster).Inc()
}

// Milestone counts a milestone. It is meant as status.Board's Milestones.
func (f *Figures) Milestone(m status.Milestone) {
	switch m.Kind {
	case status.Entered:
		f.releases.WithLabelValues(m.Environment, m.Detail).Inc()
		if m.Detail == string(state.CauseRollback) {
			f.rollbacks.WithLabelValues(m.Environment).Inc()
		}
	case status.Promoted:
		f.promotions.WithLabelValues(m.Environment, m.Detail).Inc()
	case status.Stopped:
		f.failures.WithLabelValues(m.Environment).Inc()
	case status.Opened:
		f.waited.WithLabelValues(m.Environment, m.Detail).Observe(m.Took.Seconds())
	case status.Live:
		f.lead.WithLabelValues(m.Environment).Observe(m.Took.Seconds())
	}
}

// Collectors are the collectors of the figures for /metrics, for Options.Collectors.
func (f *Figures) Collectors() []prometheus.Collector {
	return []prometheus.Collector{f.passes, f.lead, f.waited, f.releases, f.promotions, f.failures, f.rollbacks, f.corrected, f.hooks, f.told, f.recorded, f.asked, f.limited}
}
