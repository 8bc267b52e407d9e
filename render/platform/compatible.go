package platform

import (
	"cmp"
	"fmt"
	"slices"

	"transom.dev/render/schema"
	"transom.dev/render/wording"
)

// A narrowing lists the parts where the schema of a version allows fewer values than that of one before it. Within one
// major version whoever follows the constraint "1" moves from the one to the other by a merge of somebody else.
type narrowing struct {
	version *Version
	found   []schema.Mistake
}

// narrowings compares each of an offering's versions with those before it that promise the same, from any of which a
// range may jump to it. Allowing at least as much is transitive, so a version stands for all before it that it keeps to,
// and mostly only the last one remains to compare with. One that narrows stands for itself, beside those whose promise it
// breaks: requests may have come to rely on what it brought.
func narrowings(versions []*Version) (out []narrowing) {
	var promised []narrowing // the newest first
	for _, v := range versions {
		if v.Broken || !v.taken() {
			continue
		}
		n := narrowing{version: v}
		promised = slices.DeleteFunc(promised, func(before narrowing) bool {
			return !samePromise(before.version, v) || n.keeps(before)
		})
		promised = slices.Insert(promised, 0, n)
		if len(n.found) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// keeps reports whether the version takes all that one before it took, and records the values that it does not take. To undo
// a narrowing of that version itself is no narrowing.
func (n *narrowing) keeps(before narrowing) bool {
	narrowed := schema.Narrowed("parameters", before.version.Parameters, n.version.Parameters)
	narrowed = slices.DeleteFunc(narrowed, func(m schema.Mistake) bool { return has(before.found, m.Field) })
	known := n.found
	for _, m := range narrowed {
		if !has(known, m.Field) {
			m.Message += ", unlike in " + before.version.Number.String()
			n.found = append(n.found, m)
		}
	}
	return len(narrowed) == 0
}

func has(found []schema.Mistake, field string) bool {
	return slices.ContainsFunc(found, func(m schema.Mistake) bool { return m.Field == field })
}

// taken says whether a range of versions may come to this one, or a request that follows a range be at it.
func (v *Version) taken() bool {
	return v.Number.Prerelease() == "" && v.Lifecycle != Withdrawn && v.Lifecycle != Experimental
}

// samePromise says whether semver promises that parameters which are valid for one version are valid for the other. Before
// 1.0.0 a minor version may break.
func samePromise(a, b *Version) bool {
	if a.Number.Major() != b.Number.Major() {
		return false
	}
	return a.Number.Major() > 0 || a.Number.Minor() == b.Number.Minor()
}

// loadNarrowings reports the versions that break a promise to earlier ones, and names the requests concerned. It costs no
// more than those: they are broken themselves, and the version is there for the others.
func (l *Loader) loadNarrowings(p *Platform) {
	for _, name := range sortedKeys(l.offerings) {
		for _, n := range l.offerings[name].narrowed {
			d := reopen(l.versions[n.version.Dir].contract)
			next := n.version.Number.IncMajor()
			if n.version.Number.Major() == 0 {
				next = n.version.Number.IncMinor()
			}
			for _, wrong := range n.found {
				d.problem(parametersField(wrong.Field), "narrowed", "%s, and may not change so before %s", wrong.Message, &next)
			}
			slices.SortFunc(d.problems, Problem.Compare)
			d.problems[0].Message += breaks(p, n.version)
			p.Problems = append(p.Problems, d.problems...)
		}
	}
}

// breaks ends a message with the requests that a version would break.
func breaks(p *Platform, v *Version) string {
	names := breaking(p, v)
	switch n := len(names); {
	case n == 0:
		return ""
	case n > 5:
		names = append(names[:5], fmt.Sprintf("%d more", n-5))
	}
	return "; it would break " + wording.List(names)
}

// breaking names the requests that would move to the version and are not valid there. Those of a crowd are named once all of them are read:
// else each load would tell of another Problem.
func breaking(p *Platform, v *Version) (names []string) {
	o := p.Offerings[v.Offering]
	for _, r := range p.Requests() {
		f := p.teams[r.Key.Team].resolved[r.Key].file
		counting := r.Deferred && p.tree.teams[r.Key.Team].unread > 0
		if f.request.Broken || f.request.Spec.Offering != v.Offering || counting {
			continue
		}
		for env, in := range f.request.Spec.Environments {
			moves := o.Match(cmp.Or(in.Version, f.request.Spec.Version)) == v
			if moves && broken(mergeParameters(f, env, v).problems) {
				names = append(names, r.Key.String())
				break
			}
		}
	}
	return names
}
