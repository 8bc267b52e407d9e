package platform

import (
	"fmt"
	"strings"
	"sync"

	"transom.dev/render/expression"
	"transom.dev/render/wording"
)

// decodeImpersonation reads the accounts as which an environment's objects are written.
func decodeImpersonation(d *document, serviceAccount, clusterScoped string) (i Impersonation) {
	switch {
	case serviceAccount != "":
		i.accounts = &sync.Map{}
		i.ServiceAccount = d.compileExpression("spec.impersonate.serviceAccount", "serviceAccount", serviceAccount, teamScope(), expression.String)
	case clusterScoped != "":
		d.problem("spec.impersonate.serviceAccount", "required", "is missing: it names the account of each team, such as '\"deployer\"'")
	}
	if clusterScoped == "" {
		return i
	}
	namespace, name, _ := strings.Cut(clusterScoped, "/")
	if wrong := wrongName(namespace, maxLabel); wrong != "" || wrongName(name, maxLabel) != "" {
		d.problem("spec.impersonate.clusterScoped", "value", "must be NAMESPACE/NAME of a ServiceAccount, not %q", wording.Shorten(clusterScoped))
		return i
	}
	i.ClusterScoped = clusterScoped
	return i
}

// accountCost is what the name of one team's account may cost: it is made of the team's name alone, and there may be very many teams.
var accountCost = expression.Allowance{Steps: 10_000, Size: 64 << 10}

// An account is the name of a team's account, or why it has none.
type account struct {
	name string
	err  error
}

// Account is the name of the ServiceAccount in a team's namespace as which its objects are written; empty where the daemon
// writes as itself. It is found out once for each team, however many requests the team has.
func (i Impersonation) Account(team string) (string, error) {
	if i.ServiceAccount == nil {
		return "", nil
	}
	known, found := i.accounts.Load(team)
	if !found {
		name, err := i.evaluate(team)
		known, _ = i.accounts.LoadOrStore(team, account{name, err})
	}
	of := known.(account)
	return of.name, of.err
}

func (i Impersonation) evaluate(team string) (string, error) {
	t := &expression.Tally{Most: accountCost}
	value, err := t.Evaluate(i.ServiceAccount, map[string]any{"request": map[string]any{"team": team}})
	if t.Over() {
		return "", fmt.Errorf("%w, which is all that the account of one team may cost; let the expression do less", err)
	}
	if err != nil {
		return "", err
	}
	name, isString := value.(string)
	if !isString {
		return "", fmt.Errorf("must result in a string, not in %s", wording.Value(value))
	}
	if wrong := wrongName(name, maxLabel); wrong != "" {
		return "", fmt.Errorf("results in %q for team %s, which %s", wording.Shorten(name), team, wrong)
	}
	return name, nil
}

// Equal says whether objects are written as the same accounts.
func (i Impersonation) Equal(other Impersonation) bool {
	source := func(e *expression.Expression) string {
		if e == nil {
			return ""
		}
		return e.Source
	}
	return source(i.ServiceAccount) == source(other.ServiceAccount) && i.ClusterScoped == other.ClusterScoped
}

// checkAccount checks that there is an account to write a version's objects as for a request.
func (e *Environment) checkAccount(d *document, of RequestKey, v *Version) {
	if e.Impersonate.ServiceAccount == nil {
		return
	}
	if v.Scope == ClusterScoped {
		if e.Impersonate.ClusterScoped == "" {
			d.problem("spec.offering", "impersonation", "%s is cluster-scoped, and environment %s writes objects as ServiceAccounts and names none for it: "+
				"set spec.impersonate.clusterScoped in %s, or do not request it there", v, e.Name, e.File)
		}
		return
	}
	if _, err := e.Impersonate.Account(of.Team); err != nil {
		p := problemAt(e.Impersonate.ServiceAccount, "expression", err.Error())
		p.Environment, p.Request = e.Name, &of
		d.add(p)
	}
}
