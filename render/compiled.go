package render

import (
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
	"transom.dev/render/platform"
)

// A Compilation says how the placements of a version are rendered: by its compiled program, or the plain way, which gives
// the same bytes and takes some hundred times as long.
type Compilation struct {
	Version  string  `json:"version"` // OFFERING@VERSION
	Compiled int     `json:"compiled"`
	Plain    []Plain `json:"plain"`
}

// Plain is a reason why placements are not compiled. Without placements, it applies to any request of the version.
type Plain struct {
	Why        string `json:"why"`
	Placements int    `json:"placements"`
	First      string `json:"first,omitempty"` // TEAM/REQUEST in ENVIRONMENT on CLUSTER
}

// Compilations looks at every version of a platform, sorted by offering and number. It renders nothing that is kept, so
// that it may be asked beside a pass. An instance that has a Problem is not counted.
func Compilations(p *platform.Platform) ([]Compilation, error) {
	t := tally{}
	for _, name := range slices.Sorted(maps.Keys(p.Environments)) {
		if err := t.environment(p, name); err != nil {
			return nil, err
		}
	}
	x := new(Renderer).examiner()
	var found []Compilation
	for _, offering := range slices.Sorted(maps.Keys(p.Offerings)) {
		for _, v := range p.Offerings[offering].Versions {
			if v.Broken || len(x.guard(versionTree(v))) > 0 {
				continue
			}
			found = append(found, t.version(v))
		}
	}
	return found, nil
}

// A tally counts the placements of each version.
type tally map[*platform.Version]*Compilation

func (t tally) environment(p *platform.Platform, name string) error {
	var r Renderer
	s, err := newSnapshot(p, name, nil, Direction{Examples: true})
	if err != nil || s.environment.Broken || len(r.examiner().overlayProblems(s.environment)) > 0 {
		return err
	}
	pass := newPass(&r, s)
	for _, c := range pass.candidates {
		c.add(pass.builder.examiner.sound(c.instance.Version)...)
		c.add(pass.admission.evaluateAlone(c)...)
		if c.broken() {
			continue
		}
		for _, e := range c.evaluation.placements {
			w, problems := pass.builder.examiner.wrapper(c.instance, e)
			if len(problems) > 0 {
				continue
			}
			why := pass.builder.examiner.analyse(w).program.Why(w)
			t.count(c.instance.Version, why, fmt.Sprintf("%s in %s on %s", c.key(), name, e.cluster.Name))
		}
	}
	return nil
}

func (t tally) count(v *platform.Version, why error, what string) {
	if t[v] == nil {
		t[v] = &Compilation{Version: v.String(), Plain: []Plain{}}
	}
	c := t[v]
	if why == nil {
		c.Compiled++
		return
	}
	i := slices.IndexFunc(c.Plain, func(p Plain) bool { return p.Why == why.Error() })
	if i < 0 {
		i = len(c.Plain)
		c.Plain = append(c.Plain, Plain{Why: why.Error(), First: what})
	}
	c.Plain[i].Placements++
}

// version returns the tally of a version. Of one that nobody requests, it gives the reason that would apply to any request.
func (t tally) version(v *platform.Version) Compilation {
	if c := t[v]; c != nil {
		return *c
	}
	c := Compilation{Version: v.String(), Plain: []Plain{}}
	w := kustomize.Wrapper{Trees: []kustomize.Tree{versionTree(v)}, Components: []string{v.Dir}}
	if why := compiler.Compile(w).Never(); why != nil {
		c.Plain = append(c.Plain, Plain{Why: why.Error()})
	}
	return c
}
