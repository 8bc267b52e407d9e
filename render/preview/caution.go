package preview

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Danger is a kind of caution.
type Danger string

// The dangers that a plan cautions against.
const (
	Replacement Danger = "replacement" // an object would have to be deleted and created anew
	DataLoss    Danger = "data loss"   // an object that has data goes, or stays behind
	Deletion    Danger = "deletion"    // objects go
	Renaming    Danger = "rename"      // a request goes and comes back under another name
)

// A Caution tells whoever merges a change of a danger that the difference itself does not show.
type Caution struct {
	Danger  Danger `json:"danger"`
	Team    string `json:"team"`
	Request string `json:"request,omitempty"`
	Message string `json:"message"` // a sentence that names the objects it is about
}

// Cautions lists the dangers of the changes that Changes found between the same two: replacements first, then lost data,
// deletions and renames.
func Cautions(before *render.Base, after *render.State, changes []Change) []Caution {
	g := gathering{before: before, after: after}
	for _, c := range changes {
		switch c.Action {
		case Replaced:
			g.add(c, Replacement, fmt.Sprintf("%s must be replaced: %s cannot change in place, %s",
				c.Object(), strings.Join(c.Immutable, ", "), c.replacing()))
		case Removed:
			g.removal(c)
		}
	}
	cautions := g.cautions()
	cautions = append(cautions, renamings(Renames(before, after))...)
	slices.SortStableFunc(cautions, func(a, b Caution) int { return rank(a.Danger) - rank(b.Danger) })
	return cautions
}

func rank(d Danger) int { return slices.Index([]Danger{Replacement, DataLoss, Deletion, Renaming}, d) }

// gathering joins cautions that are the same on several clusters, and counts deletions per request.
type gathering struct {
	before *render.Base
	after  *render.State
	order  []gathered
	on     map[gathered][]string
	counts map[platform.RequestKey]int
}

type gathered struct {
	danger  Danger
	key     platform.RequestKey
	message string
}

func (g *gathering) add(c Change, danger Danger, message string) {
	key := gathered{danger, platform.RequestKey{Team: c.Team, Name: c.Request}, message}
	if g.on == nil {
		g.on = map[gathered][]string{}
	}
	if g.on[key] == nil {
		g.order = append(g.order, key)
	}
	if !slices.Contains(g.on[key], c.Cluster) {
		g.on[key] = append(g.on[key], c.Cluster)
	}
}

// replacing says how applying handles a change that the API server does not let it make.
func (c Change) replacing() string {
	const refused = "and the cluster refuses it until the object is deleted"
	switch {
	case c.spared:
		return refused
	case !c.remade:
		return refused + "; annotated " + state.AnnotationReplace + `: "true", it would be deleted and created anew`
	case c.claimsGo:
		return refused + "; it is not, because the claims of its pods would go with it: retain those first"
	}
	return "so it is deleted, with what it owns, and created anew"
}

// removal cautions against the loss of an object and of its data. An object that applying spares stays behind instead.
func (g *gathering) removal(c Change) {
	key := platform.RequestKey{Team: c.Team, Name: c.Request}
	switch {
	case c.spared && (g.deletion(key) != platform.DeletionDelete || !c.prunable):
		g.add(c, DataLoss, fmt.Sprintf("%s is left behind: nothing manages or deletes it any more", c.Object()))
		return
	case c.hasData && c.claimsGo:
		g.add(c, DataLoss, fmt.Sprintf("%s is deleted, and the claims of its pods with their data", c.Object()))
	case c.hasData:
		g.add(c, DataLoss, fmt.Sprintf("%s is deleted: the claims of its pods stay with their data, but nothing uses them", c.Object()))
	case c.spared:
		g.add(c, DataLoss, fmt.Sprintf("%s is deleted with what is in it", c.Object()))
	}
	if g.counts == nil {
		g.counts = map[platform.RequestKey]int{}
	}
	g.counts[key]++
	g.add(c, Deletion, "")
}

func (g *gathering) deletion(k platform.RequestKey) platform.Deletion {
	if r := g.before.Releases[k]; r != nil {
		return r.Deletion
	}
	return ""
}

func (g *gathering) cautions() (all []Caution) {
	for _, key := range g.order {
		message := key.message
		if key.danger == Deletion {
			message = "deletes 1 object"
			if n := g.counts[key.key]; n != 1 {
				message = fmt.Sprintf("deletes %d objects", n)
			}
			if r := g.before.Releases[key.key]; r != nil && r.Adopt && r.OnRemoval != platform.RemovalDelete {
				message += ", but for what it adopted, which is let go"
			}
		}
		all = append(all, Caution{key.danger, key.key.Team, key.key.Name, message + ", on " + strings.Join(g.on[key], ", ")})
	}
	return all
}

// renamings says of each team that all its requests moved, and of other requests one by one.
func renamings(renames []Rename) (all []Caution) {
	teams := map[[2]string][]Rename{}
	for _, r := range renames {
		if r.From.Team == r.To.Team {
			all = append(all, Caution{Renaming, r.From.Team, r.From.Name, fmt.Sprintf(
				"looks renamed to %s: its objects are deleted and created anew under the new name, and data does not move", r.To.Name)})
			continue
		}
		pair := [2]string{r.From.Team, r.To.Team}
		teams[pair] = append(teams[pair], r)
	}
	for _, pair := range slices.SortedFunc(maps.Keys(teams), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		names := make([]string, len(teams[pair]))
		for i, r := range teams[pair] {
			names[i] = r.From.Name
		}
		all = append(all, Caution{Renaming, pair[0], "", fmt.Sprintf(
			"%s: looks moved to team %s: deleted and created anew in another namespace, and data does not move",
			strings.Join(names, ", "), pair[1])})
	}
	return all
}
