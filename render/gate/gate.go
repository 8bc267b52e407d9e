// Package gate has the names of the gates: the conditions that a change has to meet before it enters an environment or goes on
// there. Promotion decides whether a gate is closed; decisions, records, status and metrics only name it. The package depends on
// nothing, so that the kinds that people write can name gates too.
package gate

// The names of gates, in the order in which reconciler/promotion/RULES.md explains them.
const (
	Health    = "health"
	Soak      = "soak"
	Approval  = "approval"
	Hold      = "hold"
	Window    = "window"
	Binding   = "binding"
	Rejected  = "rejected"
	Rollout   = "rollout"
	Leave     = "leave"
	Deletions = "deletions"
	Pin       = "pin"
	Problem   = "problem"
)

// Skippable lists the gates that an Override may skip, in the order in which people are told of them.
func Skippable() []string { return []string{Soak, Approval, Window, Hold, Leave} }
