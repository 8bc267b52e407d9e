// Package lease has one of several daemons lead: the one that holds a Lease of a management cluster.
//
// In come the name of the Lease, and the work of a standby and of a leader. Out comes whether this process may write at this moment,
// and where the leader is. A process leads at most once: when its Lease is lost, or was not renewed in time, it may never write
// again and has to end, so that nothing that it remembers of before can be written over the work of its successor.
//
// It decides nothing about releases, and compare-and-swap on branches and clusters stays the last word: between a look at the Lease and
// the arrival of a write lies the network.
package lease
