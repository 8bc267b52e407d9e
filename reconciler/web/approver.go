package web

import (
	"slices"
	"strings"

	"transom.dev/reconciler/web/access"
)

// An approver is somebody who may have to approve decisions.
type approver struct {
	access.Identity
	owners Owners // nil: no file has any
}

// approves says whether somebody may approve the file of a decision that is about a team, as far as the daemon knows: the forge decides.
// An operator may, a viewer may not, and a developer where CODEOWNERS names them, their team or nobody; without one, where the decision is
// about no other team. owners are those that it names; named says that they are told of it whichever team it is about.
func (a approver) approves(file, team string) (may, named bool, owners []string) {
	known := false
	if a.owners != nil {
		owners, known = a.owners.Of(file)
	}
	switch {
	case a.Name == "" || a.Role >= access.Operator:
		return true, true, owners
	case a.Role < access.Developer:
		return false, false, owners
	case known && len(owners) > 0:
		named = slices.ContainsFunc(owners, a.is)
		return named, named, owners
	}
	return known || team == "" || a.In(team), false, nil
}

// is says whether an owner of files is somebody, or a team of theirs. Forges do not tell large letters from small ones in names.
func (a approver) is(owner string) bool {
	same := func(name string) bool { return strings.EqualFold(name, owner) }
	if slices.ContainsFunc(a.names(), same) {
		return true
	}
	team, isTeam := strings.CutPrefix(owner, "@")
	owner = team[strings.LastIndex(team, "/")+1:]
	return isTeam && slices.ContainsFunc(a.Teams, same)
}

// names are the owners that somebody alone is: by an account at the forge, or by an address of mail.
func (a approver) names() []string { return []string{"@" + a.Name, a.Name} }

// isNamed says whether a developer may approve something that not all of their teams may.
func (a approver) isNamed() bool {
	return a.owners != nil && a.Role == access.Developer && slices.ContainsFunc(a.names(), a.owners.Name)
}
