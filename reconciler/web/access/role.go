package access

import (
	"context"
	"fmt"
	"slices"
)

// A Role says how much somebody may do. Each may all that the roles below it may.
type Role int

// The roles. Nobody has the last one: a route that needs it answers nobody.
const (
	Anybody   Role = iota // who has not logged in
	Viewer                // reads everything
	Developer             // of a team: asks for a reconciliation, too
	Operator              // may all that can be asked for over HTTP
	Nobody
)

var roleNames = []string{"anybody", "viewer", "developer", "operator", "nobody"}

func (r Role) String() string { return roleNames[r] }

// MarshalText is part of encoding.TextMarshaler.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads one of the roles that a person can be given.
func (r *Role) UnmarshalText(text []byte) error {
	for _, role := range []Role{Viewer, Developer, Operator} {
		if role.String() == string(text) {
			*r = role
			return nil
		}
	}
	return fmt.Errorf("no role %.40q; there are viewer, developer and operator", text)
}

// An Identity is somebody who asks.
type Identity struct {
	Name  string   `json:"name,omitempty"` // empty: nobody had to log in
	Role  Role     `json:"role"`
	Teams []string `json:"teams,omitempty"` // of a developer
}

func (i Identity) String() string {
	switch {
	case i.Name == "":
		return "nobody has to log in here and everybody is " + i.Role.String()
	case i.Role == Anybody:
		return i.Name + " has no role"
	default:
		return i.Name + " is " + i.Role.String()
	}
}

// In says whether somebody may do a developer's work for a team: as a developer of it, or as an operator.
func (i Identity) In(team string) bool {
	return i.Role == Operator || i.Role == Developer && slices.Contains(i.Teams, team)
}

type identityKey struct{}

// With returns a context that carries who asks.
func With(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// Of is who asks, as With put it there; without, an Identity that may nothing.
func Of(ctx context.Context) Identity {
	who, _ := ctx.Value(identityKey{}).(Identity)
	return who
}

// A grant gives a role to a user or to the members of a group.
type grant struct {
	User  string `yaml:"user"`
	Group string `yaml:"group"` // everybody: whoever is known to the issuer or the cluster
	Role  Role   `yaml:"role"`
	Team  string `yaml:"team"`
}

// everybody is the group of all who can log in.
const everybody = "*"

func (g grant) check() error {
	if (g.User == "") == (g.Group == "") {
		return fmt.Errorf("give either user or group; group: %q is everybody who can log in", everybody)
	}
	return checkRole(g.Role, g.Team)
}

// checkRole refuses a role that is missing, and a developer of no team.
func checkRole(role Role, team string) error {
	switch {
	case role == Anybody:
		return fmt.Errorf("role is missing; give viewer, developer or operator")
	case role == Developer && team == "":
		return fmt.Errorf("team is missing: a developer belongs to one")
	case role != Developer && team != "":
		return fmt.Errorf("team is for developers: %s has all teams", role)
	}
	return nil
}

// identity is the highest role that grants give to a user, and all teams of it.
func identity(grants []grant, name string, groups []string) Identity {
	who := Identity{Name: name}
	for _, g := range grants {
		if g.User != name && g.Group != everybody && !slices.Contains(groups, g.Group) {
			continue
		}
		who.Role = max(who.Role, g.Role)
		if g.Team != "" && !slices.Contains(who.Teams, g.Team) {
			who.Teams = append(who.Teams, g.Team)
		}
	}
	return who
}
