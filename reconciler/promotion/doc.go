// Package promotion decides which release every instance of an environment runs next. In come the platform's head, the
// records that state repositories have, the observations of clusters and the time; out come moves, and for each instance
// that does not move the gates that are closed: which condition is unmet, who or which event opens the gate, and when it
// opens by itself.
//
// A pass over one environment has two halves, with rendering between them:
//
//	choice := view.Choose()               // which release each instance has from now on; which ended, failed or are proven
//	...                                   // render choice.Instances for the environment
//	admission := choice.Admit(proposals)  // which of the rendered bytes are committed now, and on which clusters
//
// Choose goes by releases: proof and soak upstream, approvals, windows, holds, pins, removals, failures. Admit goes by
// render keys: waves over clusters, and the changes that the environment itself makes to releases that stay. The calls of
// both:
//
//	View.Choose                   choose.go      instance by instance, then the groups, then the deletions
//	├ Memory.due                  memory.go      the requests of which something changed since the pass before
//	├ facts.rests                 view.go        nothing to decide: nearly all instances at nearly all times
//	├ follower.follow             follow.go      the record follows the observations: joined, over, failed, proven, pruned
//	│ └ follower.fail, .back      failure.go     reject the render keys, and go back to the record that was healthy before
//	├ picker.pick                 candidate.go   the newest release whose gates are open
//	│ └ question.ask              gate.go        the table of gates
//	├ newDeparture                departure.go   the clusters that the instance leaves, and which of them now
//	├ chooser.enterGroups         group.go       whose turn it is among instances that make a change together
//	└ deletions.limit             deletions.go   too many deletions wait
//	Choice.Admit                  admit.go       proposal by proposal
//	├ admitter.admitRelease       admit.go       on the clusters whose turn it is
//	│ └ waves.reach               wave.go
//	├ admitter.admitRemoval       admit.go
//	├ admitter.proceed            environment.go a rollout goes on, a cluster joins
//	└ admitter.renew              environment.go the environment changed what it puts in
//	Admission.AdmitNamespaces     plan.go
//
// A question about an instance returns an outcome, and nobody but choose and Admit records it. People (people.go), the
// environments before and after this one (upstream.go, downstream.go), the waves, the groups and the platform's history
// are small values that questions are put to; the phase of a rollout (phase.go) is read from its record. RULES.md has the
// rules.
//
// The package remembers nothing that decides: a Memory spares a pass the requests that rest, and every result is the same without it.
// All that a decision needs is in the records (Promotion), so that two daemons, or one that
// lost its disk, decide the same. It never reads a clock, a cluster or Git.
package promotion
