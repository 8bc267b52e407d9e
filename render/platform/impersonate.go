package platform

import (
	"fmt"
	"strings"

	"transom.dev/render/expression"
	"transom.dev/render/wording"
)

// decodeImpersonation reads the accounts as which an environment's objects are written.
func decodeImpersonation(d *document, serviceAccount, clusterScoped string) (i Impersonation) {
	switch {
	case serviceAccount != "":
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

// Account is the name of the ServiceAccount in a team's namespace as which its objects are written; empty where the daemon
// writes as itself.
func (i Impersonation) Account(team string) (string, error) {
	if i.ServiceAccount == nil {
		return "", nil
	}
	value, err := i.ServiceAccount.Eval(map[string]any{"request": map[string]any{"team": team}})
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
