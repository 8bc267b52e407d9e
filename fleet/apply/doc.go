// Package apply brings one cluster to the desired state of one instance.
//
// The input is an Instance: an owner and the manifests that a state repository holds for it on this cluster. The output is
// a Result: the changes that were written, each object's health and its reason, and the problems that a person must mend.
// The package has the rules of server-side apply: ownership is checked before the first write, the inventory is extended
// before anything is created and shrunk only once pruning is confirmed, and one PATCH goes out per object that needs it. An
// object needs it if its digest differs, if it is gone, or if someone took a field of it. Annotations of the objects say in
// which step they come, whether they go before the objects that replace them, and whether they may be deleted and made
// anew where they cannot change in place.
//
// A Cluster learns which objects are there from one watch per kind in use, reduced on arrival. No Secret value ever enters
// memory, but those that it generates and forgets. At rest nothing is called: watches report through
// Options.OnEvent, and a pass over an instance that is as it should be asks the API server for nothing.
//
// The answers of an API server are bounded by Options.Limits before they are parsed, and a watch is read no faster than its
// events are reduced: the memory that a cluster takes is that of its reduced objects, and of one event or page.
//
// An object is judged by the pods of its present revision. A pod of a revision before makes nothing fail; where it keeps a
// StatefulSet from going on, which Kubernetes leaves to a person, status names it with the command that deletes it. One that
// never started, of a revision that failed, is deleted here: unblock.go has the conditions.
//
// Fields that others fill are left to them: replicas.go, filled.go and leave.go say which these are. An object that outlives
// its instance because it holds data is let go, and found again: kept.go.
//
// A workload whose manifest asks that it does not come to its revision by itself is Suspended (suspended.go). A version's
// health entry outranks all that is known of a kind, custom or built-in; where an expression reads fields that the watch
// does not keep, the object is read with one request per change of it.
//
// The package never deletes an object that it could not read, never writes outside the instance's namespace unless the version
// is cluster-scoped, and never writes over an object that is not the instance's own, but for one that is nobody's and
// that its request adopts. It does not decide when to run,
// how often to retry, or which instances there are: that is fleet's.
package apply
