// Package gate has the names of the gates: the conditions that a change has to meet before it enters an environment or goes on
// there. Promotion decides whether a gate is closed; decisions, records, status and metrics only name it. The package depends on
// nothing, so that the kinds that people write can name gates too.
package gate

import (
	"slices"
	"strings"
)

// Name is the name of a gate, as decisions, records, status and metrics have it. An Override may also have the name of one check
// (CheckNamed).
type Name string

// The names of gates, in the order in which reconciler/promotion/RULES.md explains them.
const (
	Health    Name = "health"
	Soak      Name = "soak"
	Approval  Name = "approval"
	Hold      Name = "hold"
	Window    Name = "window"
	Check     Name = "check"
	Binding   Name = "binding"
	Rejected  Name = "rejected"
	Rollout   Name = "rollout"
	Leave     Name = "leave"
	Deletions Name = "deletions"
	Pin       Name = "pin"
	Problem   Name = "problem"
)

// Skippable lists the gates that an Override may skip, in the order in which people are told of them.
func Skippable() []Name { return []Name{Soak, Approval, Window, Hold, Leave, Check} }

// CheckNamed is the name by which an Override skips one check and no other.
func CheckNamed(check string) Name { return Check + "/" + Name(check) }

// IsOfCheck says whether an Override's word names one check, and which.
func IsOfCheck(word Name) (check string, ok bool) {
	return strings.CutPrefix(string(word), string(Check+"/"))
}

// MaySkip says whether a word is one that an Override may have: the name of such a gate, or of one check.
func MaySkip(word Name) bool {
	if check, ofOne := IsOfCheck(word); ofOne {
		return check != ""
	}
	return slices.Contains(Skippable(), word)
}
