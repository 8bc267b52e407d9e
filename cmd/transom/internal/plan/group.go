package plan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"transom.dev/render/preview"
)

// changeGroup is one change with all the clusters on which it is the same.
type changeGroup struct {
	preview.Change
	clusters []string
}

// group joins changes that are the same on several clusters, by owner, and environments as they come.
func group(all []preview.Change) []*changeGroup {
	type identity struct{ environment, team, request, apiVersion, kind, namespace, name, action, diff string }
	var order []*changeGroup
	known := map[identity]*changeGroup{}
	environments := map[string]int{}
	for _, c := range all {
		if _, seen := environments[c.Environment]; !seen {
			environments[c.Environment] = len(environments)
		}
		id := identity{c.Environment, c.Team, c.Request, c.APIVersion, c.Kind, c.Namespace, c.Name, string(c.Action), c.Diff}
		g := known[id]
		if g == nil {
			g = &changeGroup{Change: c}
			known[id] = g
			order = append(order, g)
		}
		g.clusters = append(g.clusters, c.Cluster)
	}
	slices.SortStableFunc(order, func(x, y *changeGroup) int {
		return cmp.Or(cmp.Compare(environments[x.Environment], environments[y.Environment]), strings.Compare(x.owner(), y.owner()))
	})
	return order
}

// owner is whose objects a change is about.
func (g *changeGroup) owner() string {
	switch {
	case g.Team == "":
		return "fleet"
	case g.Request == "":
		return g.Team + " (the team's namespace)"
	default:
		return g.Team + "/" + g.Request
	}
}

// changeBlock is all that changes of one owner in one environment, with the owners of which the same changes.
type changeBlock struct {
	environment, owner string
	groups             []*changeGroup
	identical          []string // the other owners
	withheld           bool     // the differences are not for those who read
}

// blocks gathers the changes of each owner.
func blocks(all []preview.Change) (order []*changeBlock) {
	for _, g := range group(all) {
		if n := len(order); n > 0 && order[n-1].environment == g.Environment && order[n-1].owner == g.owner() {
			order[n-1].groups = append(order[n-1].groups, g)
			continue
		}
		order = append(order, &changeBlock{environment: g.Environment, owner: g.owner(), groups: []*changeGroup{g}})
	}
	return order
}

// folded joins owners with identical changes, apart from their names: a new version reads once, not a hundred times.
func folded(all []*changeBlock) []*changeBlock {
	known := map[string]*changeBlock{}
	return slices.DeleteFunc(all, func(b *changeBlock) bool {
		print := b.fingerprint()
		if first := known[print]; first != nil {
			first.identical = append(first.identical, b.owner)
			return true
		}
		known[print] = b
		return false
	})
}

// fingerprint is the same for blocks in which nothing but the names of team, request and environment differs.
func (b *changeBlock) fingerprint() string {
	var all strings.Builder
	fmt.Fprintf(&all, "%s %t", b.environment, b.withheld)
	for _, g := range b.groups {
		if g.Team == "" {
			all.WriteString(b.owner)
		}
		fmt.Fprintf(&all, "\x00%s %s %s %s %v %v\n", g.Action, g.APIVersion, g.Kind, g.neutral(g.Name), g.clusters, g.Request == "")
		for line := range strings.Lines(g.Diff) {
			if changedLine := line[0] == '+' || line[0] == '-'; changedLine {
				all.WriteString(g.neutralLine(line))
			}
		}
	}
	return all.String()
}

// naming is a line of a diff that gives a name to something: only there does the owner's own name say nothing.
var naming = regexp.MustCompile(`^([-+]\s*(?:- )?(?:[\w-]*[nN]ame|namespace|transom\.dev/(?:request|team)): )(.*)\n$`)

// neutralLine takes the owner's names out of a line of a diff that gives a name.
func (g *changeGroup) neutralLine(line string) string {
	if parts := naming.FindStringSubmatch(line); parts != nil {
		return parts[1] + g.neutral(parts[2]) + "\n"
	}
	return line
}

// neutral takes the owner's names out of a name.
func (g *changeGroup) neutral(name string) string {
	switch {
	case g.Request != "" && name == g.Request:
		return "(request)"
	case g.Request != "" && strings.HasPrefix(name, g.Request+"-"):
		return "(request)" + strings.TrimPrefix(name, g.Request)
	case name == g.Team:
		return "(team)"
	default:
		return name
	}
}

// shared says how many owners a block stands for, where there are several.
func (b *changeBlock) shared() string {
	if len(b.identical) == 0 {
		return ""
	}
	return fmt.Sprintf("1 of %d identical", len(b.identical)+1)
}

// few joins names, and counts those over a dozen.
func few(names []string) string {
	const shown = 12
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
