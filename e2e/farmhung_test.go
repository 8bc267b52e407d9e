package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// measureHung has a cluster answer no more, and then again, and waits until each is told.
func (f *farm) measureHung() {
	told := func(reachable float64) func() error {
		return func() (err error) {
			seen := -1.0
			err = f.metrics(func(name, labels string, value float64) {
				if name == "transom_cluster_reachable" && strings.Contains(labels, `cluster="edge-0007"`) {
					seen = value
				}
			})
			if err == nil && seen != reachable {
				err = fmt.Errorf("edge-0007 is told as %v", seen)
			}
			return err
		}
	}
	f.command("stop", 7)
	began := time.Now()
	f.eventually("it is told", told(0))
	f.b.ReportMetric(time.Since(began).Seconds(), "hung-told:s")
	f.command("start", 7)
	began = time.Now()
	f.eventually("it is told", told(1))
	f.b.ReportMetric(time.Since(began).Seconds(), "hung-back:s")
}

// measureHungTenth reports by how much one hung cluster in ten slows the changes of the others: twenty requests change, and the time counts
// from the commit until a cluster has the change and is healthy. The clusters hang from right before the change on. One change is soon over, so
// that a collection of garbage may be much of it: changes with and without hung clusters take turns, and the median of each is told.
func (f *farm) measureHungTenth() {
	hung := func(cluster int) bool { return cluster%10 == 5 }
	f.changesOfOthers("blue", hung) // so that all measurements find the daemon alike
	var without, with []time.Duration
	for round := range hungRounds {
		without = append(without, f.changesOfOthers(fmt.Sprintf("white-%d", round), hung))
		f.commandAll("stop", hung)
		with = append(with, f.changesOfOthers(fmt.Sprintf("black-%d", round), hung))
		f.commandAll("start", hung)
		f.eventually("all clusters are back", func() error { return f.allHealthy(f.clusters * f.requests) })
	}
	f.b.Logf("%s: without %v, with a tenth hung %v", f.name(), without, with)
	slices.Sort(without)
	slices.Sort(with)
	before, after := without[hungRounds/2].Seconds(), with[hungRounds/2].Seconds()
	f.b.ReportMetric(before, "hung-tenth-"+f.name()+"-without-p99:s")
	f.b.ReportMetric(after, "hung-tenth-"+f.name()+"-p99:s")
	f.b.ReportMetric(after/before, "hung-tenth-"+f.name()+"-p99-ratio:x")
}

// hungRounds is how often each of the two is measured.
const hungRounds = 3

// commandAll has some clusters stop or start to answer.
func (f *farm) commandAll(verb string, among func(cluster int) bool) {
	for i := range f.clusters {
		if among(i) {
			f.command(verb, i)
		}
	}
}

// changesOfOthers changes twenty requests, and returns the 99th percentile of the time until they are healthy on a cluster, of those that are
// not among some.
func (f *farm) changesOfOthers(color string, among func(cluster int) bool) time.Duration {
	files := map[string]string{}
	for i := range 20 {
		name := fmt.Sprintf("page-%03d", 20+i)
		files["requests/shop/"+name+".yaml"] = farmRequest(name, color)
	}
	began := time.Now()
	f.push("everything is "+color, files)
	var took []time.Duration
	f.eventually("the change is on the other clusters", func() error {
		<-time.After(time.Second) // the whole status is long
		s, err := f.status()
		if err != nil {
			return err
		}
		took = nil
		for _, in := range s.Instances {
			if files["requests/shop/"+in.Request.Name+".yaml"] == "" {
				continue
			}
			for _, p := range in.Placements {
				var cluster int
				if _, err := fmt.Sscanf(p.Cluster, "edge-%d", &cluster); err != nil {
					return err
				}
				if among(cluster) {
					continue
				}
				if p.CommittedAt.Before(began) || !p.IsHealthy() {
					return fmt.Errorf("%s is %s %s on %s", in.Request, p.Stage, p.Health, p.Cluster)
				}
				took = append(took, p.HealthyAt.Sub(p.CommittedAt))
			}
		}
		return nil
	})
	slices.Sort(took)
	require.NotEmpty(f.t, took)
	return took[(len(took)-1)*99/100]
}

// command has a cluster stop or start to answer.
func (f *farm) command(verb string, cluster int) {
	response, err := f.control.Post(fmt.Sprintf("http://sandbox/clusters/edge-%04d/%s", cluster, verb), "", nil)
	require.NoError(f.t, err)
	require.NoError(f.t, response.Body.Close())
	require.Equal(f.t, http.StatusOK, response.StatusCode)
}
