package promotion_test

import (
	"maps"

	"transom.dev/render/state"
)

// vanish deletes a cluster's file. The instances there stay, and nobody looks at them any more; the cluster itself remembers
// how long it has soaked. One cluster of the world stays.
func (w *world) vanish(cluster string) {
	if len(w.platform.Clusters) < 2 {
		return
	}
	w.away[cluster] = w.platform.Clusters[cluster]
	delete(w.platform.Clusters, cluster)
	for _, s := range w.stages {
		for _, on := range s.live {
			if on.cluster == cluster {
				on.forget()
			}
		}
	}
	w.merge("the file of %s is deleted", cluster)
}

// comeBack adds a cluster's file again, as it was.
func (w *world) comeBack(cluster string) {
	w.platform.Clusters[cluster] = w.away[cluster]
	delete(w.away, cluster)
	w.merge("the file of %s is back", cluster)
}

// letGo is a record without the clusters whose file is gone. Rendering leaves them out of all that it records, whichever way
// promotion decides about the rest.
func (w *world) letGo(r *state.Release) *state.Release {
	if r == nil {
		return nil
	}
	for c := range r.Clusters {
		if w.away[c] != nil {
			left := *r
			left.Clusters = maps.Clone(r.Clusters)
			maps.DeleteFunc(left.Clusters, func(c string, _ state.Placement) bool { return w.away[c] != nil })
			left.KeepObserved(r)
			return &left
		}
	}
	return r
}
