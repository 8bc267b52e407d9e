package status

import "slices"

// member reports whether an environment has a cluster.
func (b *Board) member(environment, cluster string) bool {
	e := b.environments[environment]
	return e != nil && slices.ContainsFunc(e.Clusters, func(c Cluster) bool { return c.Name == cluster })
}

// letGoClusters drops the records of clusters that an environment had and has no more; the caller holds the lock.
func (b *Board) letGoClusters(environment string, before []Cluster) {
	for _, c := range before {
		if b.member(environment, c.Name) {
			continue
		}
		b.record(Event{Environment: environment, Cluster: c.Name, Message: "let go: the environment has no such cluster any more"})
		delete(b.held, membership{environment, c.Name})
		for key, in := range b.instances {
			if key.environment != environment {
				continue
			}
			delete(in.placements, c.Name)
			if in.Absent && len(in.placements) == 0 && len(in.Problems) == 0 {
				delete(b.instances, key)
			}
		}
		if !b.watched(c.Name) {
			delete(b.clusters, c.Name)
		}
	}
}

// watched reports whether any environment has a cluster.
func (b *Board) watched(cluster string) bool {
	for environment := range b.environments {
		if b.member(environment, cluster) {
			return true
		}
	}
	return false
}
