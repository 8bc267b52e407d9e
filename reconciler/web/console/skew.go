package console

import (
	"cmp"
	"maps"
	"slices"

	"transom.dev/reconciler/status"
)

// A skewOf tells which versions of an offering run in which environments.
type skewOf struct {
	Offering string
	Versions int        // different ones
	Cells    [][]spread // by environment
}

// A spread is a version with the number of requests that run it in an environment.
type spread struct {
	Version string
	N       int
	Link    string
	Chosen  bool
}

// A runAt is a version of an offering in an environment.
type runAt struct{ offering, environment, version string }

// runs are the versions that an instance runs, each once. While a change is on its way over clusters they are two.
func (in *instance) runs() []string {
	var all []string
	for i := range in.Placements {
		if v := cmp.Or(in.Placements[i].Version, in.Version); !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// countRuns counts requests by the versions that they run.
func countRuns(rows []*row) map[runAt]int {
	running := map[runAt]int{}
	for _, r := range rows {
		for _, in := range r.Instances {
			for _, version := range in.runs() {
				running[runAt{in.Offering, in.Environment, version}]++
			}
		}
	}
	return running
}

// skewUnder are the versions that run in the whole fleet, of the offering and in the environment that a filter names. Its other parts
// narrow the requests and not the versions.
func skewUnder(m *model, f filter) []skewOf {
	byOffering := map[string]map[string]bool{}
	for at := range m.running {
		if at.offering != "" && (f.Offering == "" || f.Offering == at.offering) {
			if byOffering[at.offering] == nil {
				byOffering[at.offering] = map[string]bool{}
			}
			byOffering[at.offering][at.version] = true
		}
	}
	var all []skewOf
	for _, offering := range slices.Sorted(maps.Keys(byOffering)) {
		one := skewOf{Offering: offering, Versions: len(byOffering[offering])}
		versions := slices.SortedFunc(maps.Keys(byOffering[offering]), status.CompareVersions)
		for _, e := range m.Environments {
			if f.Environment != "" && f.Environment != e.Name {
				continue
			}
			var cell []spread
			for _, v := range versions {
				if n := m.running[runAt{offering, e.Name, v}]; n > 0 {
					to := filter{Offering: offering, Environment: e.Name, Version: v}
					cell = append(cell, spread{v, n, to.link(), f.Version == v && f.Environment == e.Name && f.Offering == offering})
				}
			}
			one.Cells = append(one.Cells, cell)
		}
		all = append(all, one)
	}
	return all
}
