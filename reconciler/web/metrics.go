package web

import (
	"github.com/prometheus/client_golang/prometheus"
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
)

// collector counts what a Board knows whenever it is asked, so that no figure can be stale.
type collector struct{ Board }

// Describe is part of prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{placements, problems, frozen, reachable} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	s := c.Status()
	wrong := 0
	for _, p := range s.Platform.Problems {
		if !p.Warning {
			wrong++
		}
	}
	gauge(problems, float64(wrong))
	for _, e := range s.Environments {
		gauge(frozen, flag(e.Frozen != ""), e.Name)
		for _, k := range e.Clusters {
			gauge(reachable, flag(k.Reachable), e.Name, k.Name)
		}
	}
	type series struct{ environment, cluster, health string }
	counts := map[series]int{}
	for _, in := range s.Instances {
		for _, at := range in.Placements {
			counts[series{in.Environment, at.Cluster, at.Health}]++
		}
	}
	for k, n := range counts {
		gauge(placements, float64(n), k.environment, k.cluster, k.health)
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
