// Package apply brings one cluster to the desired state of one instance.
//
// The input is an Instance: an owner and the manifests that a state repository has of it for this cluster. The output is
// a Result: the changes that were written, each object's health and its reason, and the problems that a person must mend.
// The package never deletes an object that it could not read, never writes outside the instance's namespace unless the version
// is cluster-scoped, and never writes over an object that is not the instance's own, but for one that is nobody's and
// that its request adopts. It does not decide when to run, how often to retry, or which instances there are: that is fleet's.
//
// # A visit
//
// A visit (visit.go) works on one target, which is an instance on a cluster (target.go), in steps of a type each:
//
//	validate     the manifests obey the rules of the applier                       validate.go
//	lineage      the cluster was last written for a state that this one continues  lineage.go, fence.go
//	reader       finds the live object of each desired one, and whose it is        reader.go, unmanaged.go, ownership.go
//	proof        the state is proven to be Transom's                               proof.go
//	rehearsal    dry runs show the effects of adopting objects of others           rehearse.go, adoption.go, selection.go
//	application  writes objects step by step, kind by kind, each by the writer     apply.go, steps.go, need.go, patch.go, replace.go
//	assessment   finds out how objects do, and which pod is to blame               health.go, builtin.go, diagnosis.go, revision.go
//	unblocking   deletes a pod that never started and keeps a StatefulSet back     unblock.go
//	pruning      deletes objects that nobody desires, or lets them go              prune.go, letgo.go, kept.go
//	summary      puts the Result together                                          summary.go
//
// Where an instance has Accounts, its objects are written as a ServiceAccount, by Kubernetes' impersonation (account.go, writers.go):
// dry runs, replacing, pruning and letting go, too. All else is done as the daemon itself: reading, inventories and fences, and the
// namespace file, which gives the account its rights. There is no way back from a missing account to the daemon's own rights.
//
// A visit of an instance whose objects another agent applies only follows (follow.go). A visit that must not write ends before
// the application.
//
// The writer follows the rules of server-side apply: ownership is checked before the first write, the inventory is extended
// before anything is created and shrunk only once pruning is confirmed (inventory.go, record.go), and one PATCH goes out per object
// that needs it. An object needs it if its digest differs, if it is gone, or if someone took a field of it. Annotations of the
// objects say in which step they come, whether they go before the objects that replace them, and whether they may be deleted
// and made anew where they cannot change in place. Fields that others fill or set are theirs: shared.go, replicas.go, filled.go and
// serverfields.go have them. Fields that people set by hand beside them are told, and taken back where the manifest says
// so: added.go.
//
// # A cluster
//
// All visits over a cluster share a Cluster: a client that bounds requests and answers (client.go, pace.go, bound.go, limits.go) and knows
// the kinds that are served (kinds.go, arrival.go), one watch per kind in use, whose objects are reduced on arrival (watches.go,
// stream.go, watch.go, reduce.go), one for inventories (inventories.go), one for pods (pods.go), and the subscribers that events
// are told to (subscribers.go). At rest nothing is called: watches report through Options.OnEvent, and a visit of an instance that is as it should be makes no request.
//
// A refusal by the API server has a cause (cause.go), by which instances that are refused for the same are known: whoever makes the
// visits has one of them tried, with a dry run, and has the objects of the others untouched meanwhile.
//
// No Secret value ever enters memory, but those that the package generates and forgets (secret.go). The answers of an API server
// are bounded by Options.Limits before they are parsed, and a watch is read no faster than its events are reduced: the memory that
// a cluster takes is that of its reduced objects, and of one event or page.
//
// # Health
//
// An object is assessed by the pods of its present revision. A pod of a revision before makes nothing fail; where it keeps a
// StatefulSet from going on, which Kubernetes leaves to a person, status names it with the command that deletes it. One that
// never started, of a revision that failed, is deleted here: unblock.go has the conditions. A workload whose manifest asks that
// it does not come to its revision by itself is Suspended (suspended.go). A version's health entry outranks all that is known of
// a kind, custom or built-in; where an expression reads fields that the watch does not keep, the object is read with one
// request per change of it.
package apply
