// Package state is the vocabulary of state repositories: the records that rendering writes into them, and that promotion,
// applying and status read.
//
// A Release says which release of a request runs in an environment, where, and why; its Git log is the audit trail. A Fleet
// names the accepted platform commit and the clusters. The package encodes and decodes these records, always to the same
// bytes, has the transitions by which a Release changes, and computes the digests by which people approve changes of a state.
// It decides no transition, reads no files and knows nothing of Git.
package state
