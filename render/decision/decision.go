// Package decision has the names of the kinds of decisions: the files by which people decide about releases. The platform reads
// decisions, promotion follows them, commands write them and status shows them. The package depends on nothing.
package decision

// Kind is a kind of decision, as the file names it.
type Kind string

// The kinds of decisions.
const (
	Approval Kind = "Approval" // lets in the one thing that it names
	Hold     Kind = "Hold"     // keeps its subject as it is
	Pin      Kind = "Pin"      // keeps a release or a version, or brings it back
	Override Kind = "Override" // skips gates
)

// Kinds lists all of them, in the order in which people are told which there are.
func Kinds() []Kind { return []Kind{Approval, Hold, Pin, Override} }

// Standing lists the kinds that have an effect until somebody takes them back. An Approval is used up instead.
func Standing() []Kind { return []Kind{Hold, Pin, Override} }
