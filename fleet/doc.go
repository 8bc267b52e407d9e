// Package fleet sees to it that every cluster has the objects that the state repositories describe.
//
// The input is a [Target] per environment: a committed snapshot of its state repository and the settings of its
// clusters as plain values. The output is a [Result] per placement and visit, and a [ClusterResult] whenever
// something about a cluster changed. The package decides which instances are worked on, in which order and how many at
// once; fleet/apply decides which objects are written to a cluster, and how. It never renders, never commits, and knows
// no platform repository.
//
// Every cluster has one agent, shared by all environments that name the cluster:
//
//	     watch events of the cluster ──▶ queue ──▶ looks (apply.Cluster.Look) ──▶ Report
//	                                       │         │ requests are needed
//	                                       │         ▼
//	Deploy ──▶ changed files, by blob id ─▶ queue ──▶ visits (apply.Cluster.Apply) ──▶ Report
//	                                         ▲ ▲
//	again soon: errors, not settled yet ─────┘ └──── sweep: everything, when the cluster was (re)connected or pinned,
//	                                                 and now and then
//
// The queue carries names only. A visit looks up the manifests of its instance when it starts, so any number of reasons
// to look at an instance are one, and a target that was replaced is never applied late. A pushed change overtakes
// the sweep.
//
// Visits may wait for the API server, and a mass change makes many. So an instance that a watch reported is only looked at
// first, by goroutines that do nothing else: a look makes no request. Visits are made in turn for instances that changed, for
// those of which a look found that something is to be done, and for those that are due, so that neither health nor drift
// waits for the end of a mass change. Until an instance is looked at, [Fleet.Outdated] tells whoever counts time that its
// last Result may not be true any more.
//
// An instance is taken away when the current snapshot of its environment, which was read in full, has no file for it
// on that cluster, and for no other reason; a daemon that is behind another leaves that to it ([Target.Sequence]). The
// end of an instance whose Release file records a removal is reported on every cluster and after every connection, also
// where nothing of it was. The time for which a revision was observed to be healthy can be kept on the cluster itself
// ([Fleet.Checkpoint]). A cluster is written to when the environment's target pins the very cluster that answers, by the
// UID of its kube-system namespace. A cluster that cannot be reached is asked again with a growing delay; until it
// answers, its instances are unknown and nothing about them is reported.
package fleet
