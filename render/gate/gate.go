// Package gate has the names of the gates: the conditions that a change has to meet before it enters an environment or goes on
// there. Promotion decides whether a gate is closed; decisions, records, status and metrics only name it. The package depends on
// nothing, so that the kinds that people write can name gates too.
package gate

import (
	"slices"
	"strings"
)

// The names of gates, in the order in which reconciler/promotion/RULES.md explains them.
const (
	Health    = "health"
	Soak      = "soak"
	Approval  = "approval"
	Hold      = "hold"
	Window    = "window"
	Check     = "check"
	Binding   = "binding"
	Rejected  = "rejected"
	Rollout   = "rollout"
	Leave     = "leave"
	Deletions = "deletions"
	Pin       = "pin"
	Problem   = "problem"
)

// Skippable lists the gates that an Override may skip, in the order in which people are told of them.
func Skippable() []string { return []string{Soak, Approval, Window, Hold, Leave, Check} }

// CheckNamed is the name by which an Override skips one check and no other.
func CheckNamed(check string) string { return Check + "/" + check }

// IsOfCheck says whether an Override's word names one check, and which.
func IsOfCheck(word string) (check string, ok bool) { return strings.CutPrefix(word, Check+"/") }

// MaySkip says whether a word is one that an Override may have: the name of such a gate, or of one check.
func MaySkip(word string) bool {
	if check, ofOne := IsOfCheck(word); ofOne {
		return check != ""
	}
	return slices.Contains(Skippable(), word)
}
