package web

import (
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/access"
	"transom.dev/render/decision"
)

var (
	placements = prometheus.NewDesc("transom_placements",
		"Instances on clusters, by health.", []string{"environment", "cluster", "health"}, nil)
	problems = prometheus.NewDesc("transom_problems",
		"Problems in the platform repository; Warnings are not counted.", nil, nil)
	frozen = prometheus.NewDesc("transom_environment_frozen",
		"1 if nothing is committed for the environment until a person decides.", []string{"environment"}, nil)
	reachable = prometheus.NewDesc("transom_cluster_reachable",
		"1 if the cluster's API server answers.", []string{"environment", "cluster"}, nil)
	expiry = prometheus.NewDesc("transom_cluster_credential_expiry_seconds",
		"How long the credential of the cluster is still good, where it says that; negative once it expired.", []string{"environment", "cluster"}, nil)
	waiting = prometheus.NewDesc("transom_waiting",
		"Instances that wait for a gate.", []string{"environment", "gate"}, nil)
	withheld = prometheus.NewDesc("transom_placements_held",
		"Instances on clusters whose state is held back: it is not proven to be Transom's, and a person decides.",
		[]string{"environment", "cluster"}, nil)
	leads = prometheus.NewDesc("transom_leader",
		"1 if this replica leads; where it is 0, it has none of the figures about environments, clusters and instances.", nil, nil)
	ready = prometheus.NewDesc("transom_ready",
		"1 if the daemon can be relied on, as /readyz says: everything was looked at once, and no pass is stuck.", nil, nil)
	blocked = prometheus.NewDesc("transom_cluster_problem",
		"1 if nothing of the environment is written to the cluster until a person mends a fault, such as another installation that writes there.",
		[]string{"environment", "cluster"}, nil)
	warned = prometheus.NewDesc("transom_cluster_credential_warning",
		"1 if the credential of the cluster needs a person: it ends soon, and is not renewed.", []string{"environment", "cluster"}, nil)
	loaded = prometheus.NewDesc("transom_platform_loaded",
		"1 if the platform repository could be read when it was last looked at.", nil, nil)
	platformFrozen = prometheus.NewDesc("transom_platform_frozen",
		"1 if an older commit than the platform's head is followed, as no key that is allowed signed the head.", nil, nil)
	forge = prometheus.NewDesc("transom_forge_told",
		"1 if this part of the facts was told to the forge when it was last tried.", []string{"part"}, nil)
	reconciled = prometheus.NewDesc("transom_environment_reconciled",
		"1 if the last pass over the environment succeeded: its state repository could be read and written.", []string{"environment"}, nil)
	drift = prometheus.NewDesc("transom_drift",
		"Objects that others changed and that are left alone, as their environment asks.", []string{"environment", "cluster"}, nil)
	decisions = prometheus.NewDesc("transom_decisions",
		"Holds, Pins and Overrides in force.", []string{"environment", "kind"}, nil)
	rollouts = prometheus.NewDesc("transom_rollouts",
		"Instances whose rollout is under way, or stopped until a person decides.", []string{"environment", "state"}, nil)
)

// age is how long passes take that have not ended: a histogram of those that have cannot show one that never does.
var age = prometheus.NewDesc("transom_pass_age_seconds",
	"How long the pass under way has taken; 0 between passes.", []string{"environment"}, nil)

// Ages shows how long the passes under way have taken, by environment, as *reconciler.Reconciler's Ages says.
type Ages func() map[string]time.Duration

// Describe is part of prometheus.Collector.
func (a Ages) Describe(out chan<- *prometheus.Desc) { out <- age }

// Collect is part of prometheus.Collector.
func (a Ages) Collect(out chan<- prometheus.Metric) {
	for environment, took := range a() {
		out <- prometheus.MustNewConstMetric(age, prometheus.GaugeValue, took.Seconds(), environment)
	}
}

var refused = prometheus.NewDesc("transom_logins_refused_total",
	"Logins that were refused, by reason: failed, limited as the client had failed too often, or role where somebody has none.", []string{"reason"}, nil)

// refusals counts the logins that a Guard refused.
type refusals struct{ *access.Guard }

// Describe is part of prometheus.Collector.
func (r refusals) Describe(out chan<- *prometheus.Desc) { out <- refused }

// Collect is part of prometheus.Collector.
func (r refusals) Collect(out chan<- prometheus.Metric) {
	for reason, n := range r.Refused() {
		out <- prometheus.MustNewConstMetric(refused, prometheus.CounterValue, float64(n), reason)
	}
}

// Metrics returns a handler of /metrics alone, and of the profiles of net/http/pprof where they are asked for. It is for an address of
// its own: nobody logs in.
func Metrics(o Options, profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", get(metrics(o)))
	if profiles {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return guarded(mux)
}

func metrics(o Options) func(http.ResponseWriter, *http.Request) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{o.Board, o.Ready, o.Leader}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(o.Collectors...)
	if o.Access != nil {
		registry.MustRegister(refusals{o.Access})
	}
	h := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// collector counts the records of a Board whenever it is asked, so that no figure can be stale.
type collector struct {
	Board
	ready  func() error  // nil: always
	leader func() Leader // nil: there is one process
}

// Describe is part of prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		leads, ready, placements, problems, frozen, reachable, blocked, expiry, warned, loaded, platformFrozen, forge, reconciled, waiting, withheld, drift, decisions, rollouts,
	} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	leading := c.leader == nil || c.leader().Here
	gauge(leads, flag(leading))
	if !leading {
		return
	}
	s := c.Status()
	gauge(ready, flag(c.ready == nil || c.ready() == nil))
	wrong := 0
	for _, p := range s.Platform.Problems {
		if !p.Warning {
			wrong++
		}
	}
	gauge(problems, float64(wrong))
	gauge(loaded, flag(s.Platform.Error == "" && s.Platform.Commit != ""))
	gauge(platformFrozen, flag(s.Platform.Frozen != ""))
	for part, why := range s.Platform.Forge {
		gauge(forge, flag(why == ""), part)
	}
	for _, e := range s.Environments {
		gauge(frozen, flag(e.Frozen != ""), e.Name)
		gauge(reconciled, flag(e.Error == ""), e.Name)
		kinds := map[decision.Kind]int{}
		for _, d := range e.Decisions {
			kinds[d.Kind]++
		}
		for _, kind := range decision.Standing() {
			gauge(decisions, float64(kinds[kind]), e.Name, string(kind))
		}
		for _, k := range e.Clusters {
			gauge(reachable, flag(k.Reachable), e.Name, k.Name)
			gauge(blocked, flag(k.Problem != ""), e.Name, k.Name)
			gauge(warned, flag(k.Credential.Warning != ""), e.Name, k.Name)
			if expires := k.Credential.Expires; !expires.IsZero() {
				gauge(expiry, time.Until(expires).Round(time.Second).Seconds(), e.Name, k.Name)
			}
		}
	}
	count(s, gauge)
}

// count tells how many placements there are by health, and how many instances wait for each gate.
func count(s status.Status, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	type series struct {
		desc        *prometheus.Desc
		environment string
		first, last string
	}
	counts := map[series]int{}
	for _, in := range s.Instances {
		for _, at := range in.Placements {
			counts[series{placements, in.Environment, at.Cluster, string(at.Health)}]++
			if at.Withheld != "" {
				counts[series{withheld, in.Environment, at.Cluster, ""}]++
			}
			if len(at.Drift) > 0 {
				counts[series{drift, in.Environment, at.Cluster, ""}] += len(at.Drift)
			}
		}
		for _, g := range in.Waiting {
			counts[series{waiting, in.Environment, string(g.Name), ""}]++
		}
		if in.Rollout != nil && in.Rollout.Stopped != "" {
			counts[series{rollouts, in.Environment, "stopped", ""}]++
		} else if in.Rollout != nil {
			counts[series{rollouts, in.Environment, "moving", ""}]++
		}
	}
	for k, n := range counts {
		if k.last == "" {
			gauge(k.desc, float64(n), k.environment, k.first)
		} else {
			gauge(k.desc, float64(n), k.environment, k.first, k.last)
		}
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
