// Package event has the names of the kinds of events that people are told of. Status gives events their kinds, the platform's
// Notifications name those that somebody is told of. The package depends on nothing.
package event

// Kind is a kind of event.
type Kind string

// The kinds of events, in the order in which people are told which there are.
const (
	Approval    Kind = "approval"     // something waits for a person's Approval
	Promoted    Kind = "promoted"     // a release came from another environment
	Failed      Kind = "failed"       // a release was rejected, a rollout stopped, or an instance is unhealthy
	RolledBack  Kind = "rolled-back"  // the release that was healthy before came back
	Problem     Kind = "problem"      // a person must mend a file, a repository or a cluster
	Recovered   Kind = "recovered"    // one of these ended
	Drift       Kind = "drift"        // others changed objects, which are made as they were again, or not touched where an environment says so
	ClusterLost Kind = "cluster-lost" // a cluster does not answer
	ClusterBack Kind = "cluster-back" // it answers again
)

// Kinds lists all of them.
func Kinds() []Kind {
	return []Kind{Approval, Promoted, Failed, RolledBack, Problem, Recovered, Drift, ClusterLost, ClusterBack}
}
