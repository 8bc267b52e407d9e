package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A limit bounds a figure of the code that is no test. Over are the names that are over it and may be, with their figures:
// a name whose figure grows fails the test, and so does a name that is not over the limit any more. Nothing is added to
// these lists without a reason.
type limit struct {
	what string
	most float64
	over map[string]float64
}

// The limits keep the code in parts that somebody can keep in mind. A type's methods are counted without those that it
// embeds. A struct is large when it has more than twelve fields; one file may change it after it was made.
var (
	methodsOfAType     = limit{what: "methods", most: 40}
	filesOfAType       = limit{what: "files with methods", most: 6}
	filesThatChange    = limit{what: "files that change a large struct", most: 1}
	filesThatSetResult = limit{what: "files that set a result of promotion after it was made", most: 0}
	linesOfAFile       = limit{what: "lines", most: 400}
	linesOfAFunction   = limit{what: "lines", most: 60}
	exportedOfPlatform = limit{what: "exported names", most: 70}
	mixedConditions    = limit{what: "conditions with both && and || per 1,000 lines", most: 1.5}
	mixedOfPromotion   = limit{what: "conditions with both && and || per 1,000 lines", most: 3}

	// A fact that two packages write is one that they can disagree about. Healthy is a health, and the last stage of a placement.
	packagesOfAFact = limit{what: "packages that write it", most: 1, over: map[string]float64{`"Healthy"`: 2}}

	// Sentences of comments name their nouns. Comments of tests count here, too.
	whatInComments = limit{what: `"what" per 1,000 words of comment`, most: 3}
)

// The results of choosing and of admission are made in one go, whatever their size.
var resultsOfPromotion = []string{"reconciler/promotion.Choice", "reconciler/promotion.Admission"}

const (
	largeStruct = 12 // fields
	fewWords    = 5  // of comments
)

func TestCodeKeepsItsShape(t *testing.T) {
	s := shapeOf(t, os.DirFS(".."))
	require.Len(t, s.changersOf(resultsOfPromotion), len(resultsOfPromotion), "they are there")
	var found []string
	for _, check := range []struct {
		limit   limit
		figures map[string]float64
	}{
		{methodsOfAType, s.methods},
		{filesOfAType, counted(s.methodFiles)},
		{filesThatChange, counted(s.changers)},
		{filesThatSetResult, counted(s.changersOf(resultsOfPromotion))},
		{linesOfAFile, s.files},
		{linesOfAFunction, s.functions},
		{exportedOfPlatform, map[string]float64{"render/platform": s.exported["render/platform"]}},
		{mixedConditions, map[string]float64{"the product": s.mixedIn("")}},
		{packagesOfAFact, counted(s.facts)},
		{whatInComments, s.what()},
		{mixedOfPromotion, map[string]float64{"reconciler/promotion": s.mixedIn("reconciler/promotion")}},
	} {
		found = append(found, check.limit.breaches(check.figures)...)
		name := largest(check.figures)
		t.Logf("the largest is %s: %.4g %s, at most %.4g", name, check.figures[name], check.limit.what, check.limit.most)
	}
	for name, files := range s.changers {
		if len(files) > 1 {
			t.Logf("%s is changed by %v", name, slices.Sorted(maps.Keys(files)))
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(s.mixed)) {
		t.Logf("%s has %d conditions with both && and || in %d lines: %.1f", pkg, s.mixed[pkg], s.lines[pkg], s.mixedIn(pkg))
	}
	require.Empty(t, found)
}

// changersOf are the files that change one of the named structs after it was made.
func (s *shape) changersOf(names []string) map[string]map[string]bool {
	changers := map[string]map[string]bool{}
	for _, name := range names {
		if s.changers[name] != nil {
			changers[name] = s.changers[name]
		}
	}
	return changers
}

// largest is the name with the largest figure, the first one of several.
func largest(figures map[string]float64) (name string) {
	for _, n := range slices.Sorted(maps.Keys(figures)) {
		if name == "" || figures[n] > figures[name] {
			name = n
		}
	}
	return name
}

// breaches are the figures that are over a limit and may not be, and the names that may be over it and are not, sorted.
func (l limit) breaches(figures map[string]float64) (found []string) {
	for name, figure := range figures {
		if allowed := max(l.most, l.over[name]); figure > allowed {
			found = append(found, fmt.Sprintf("%s: %.4g %s, at most %.4g", name, figure, l.what, allowed))
		}
	}
	for name := range l.over {
		if figures[name] <= l.most {
			found = append(found, fmt.Sprintf("%s: %.4g %s, which needs no exception", name, figures[name], l.what))
		}
	}
	slices.Sort(found)
	return found
}

func TestCodeOutOfShapeIsFound(t *testing.T) {
	s := shapeOf(t, tree(map[string]string{
		"fleet/fleet.go": `package fleet
type Fleet struct{ a, b, c, d, e, f, g, h, i, j, k, l int; m map[string]int; n *Fleet; small Small }
type Small struct{ x int }
func New() *Fleet { f := &Fleet{a: 1}; f.b = 2; return f }
func (f *Fleet) One() bool { return f.a > 0 && f.b > 0 || f.c > 0 }
`,
		"fleet/what.go":                  "// Package fleet does what it does.\npackage fleet\n",
		"fleet/change.go":                "package fleet\nfunc (f *Fleet) Two() { f.a++ }\n",
		"fleet/element.go":               "package fleet\nfunc two() { f := New(); f.m[\"x\"] = 1 }\n",
		"fleet/part.go":                  "package fleet\nfunc three(f *Fleet) { f.small.x = 1 }\n",
		"fleet/delete.go":                "package fleet\nfunc four(f *Fleet) { delete(f.m, \"x\") }\n",
		"fleet/make.go":                  "package fleet\nfunc zero() (f Fleet) { var g Fleet; g.a, f.a = 1, 2; return f }\n",
		"fleet/other.go":                 "package fleet\nfunc five(f *Fleet) int { s := f.small; s.x = 1; return f.a }\n",
		"reconciler/x.go":                "package reconciler\nimport \"transom.dev/fleet\"\nfunc six() bool { f := fleet.New(); return ok(f.One() && (f.One() || f.One())) && ok(true) }\n",
		"reconciler/y.go":                "package reconciler\nimport _ \"transom.dev/fleet\"\nconst label, wave = \"transom.dev/team\", \"Hold\"\n",
		"fleet/fact.go":                  "package fleet\ntype Note struct { x int `json:\"Hold\"` }\nconst label = \"transom.dev/team\"\n",
		"reconciler/promotion/choose.go": "package promotion\ntype Choice struct { a int }\nfunc set(c *Choice) { c.a = 1 }\n",
		"fleet/x_test.go":                "package fleet\nfunc (f *Fleet) Three() { f.a = 1 }\n",
	}))
	require.Equal(t, map[string]float64{"fleet.Fleet": 2}, s.methods)
	require.Equal(t, map[string]float64{"fleet.Fleet": 2}, counted(s.methodFiles))
	require.Equal(t, []string{"fleet/change.go", "fleet/delete.go", "fleet/element.go", "fleet/part.go"}, slices.Sorted(maps.Keys(s.changers["fleet.Fleet"])))
	require.Equal(t, map[string]float64{"reconciler/promotion.Choice": 1}, counted(s.changersOf(resultsOfPromotion)))
	require.Equal(t, 4, int(s.exported["fleet"]))
	require.Equal(t, map[string]float64{`"transom.dev/team"`: 2, `"Hold"`: 1}, counted(s.facts))
	require.Equal(t, map[string]int{"fleet": 1, "reconciler": 1, "reconciler/promotion": 0}, s.mixed)
	require.Equal(t, map[string]float64{"fleet": 1000. / 6}, s.what())
	require.Equal(t, 1, int(s.functions["fleet.Fleet.One"]))

	l := limit{what: "methods", most: 1, over: map[string]float64{"a": 3, "b": 3, "c": 3}}
	require.Equal(t, []string{"b: 4 methods, at most 3", "c: 1 methods, which needs no exception", "d: 2 methods, at most 1"},
		l.breaches(map[string]float64{"a": 2, "b": 4, "c": 1, "d": 2, "e": 1}))
}
