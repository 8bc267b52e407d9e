// Package promotion decides which release every instance of an environment runs next. In come the platform's head, the
// records that state repositories hold, the observations of clusters and the time; out come moves, and for each instance
// that does not move the gates that are closed: which condition is unmet, who or which event opens the gate, and when it
// opens by itself.
//
// A pass over one environment has two halves, with rendering between them:
//
//	pass := view.Choose()            // which release each instance has from now on; which ended, failed or are proven
//	...                              // render pass.Instances for the environment
//	records := pass.Admit(proposals) // which of the rendered bytes are committed now, and on which clusters
//
// Choose goes by releases: proof and soak upstream, approvals, windows, holds, pins, removals, failures. Admit goes by
// render keys: waves over clusters, and the changes that the environment itself makes to releases that stay.
//
// The package remembers nothing. All that a decision needs is in the records (state.Promotion), so that two daemons,
// or one that lost its disk, decide the same. It never reads a clock, a cluster or Git.
package promotion
