// Package golden tests the versions of offerings by their cases. In go a platform and the files that it was loaded from; out
// comes each Case with the bytes that its request renders to, a Problem where they are not the wanted ones, and a Warning for
// each effect of moving the case to a later version.
//
// It renders in memory and writes no file: whoever updates the wanted bytes does that. It reads no state and no cluster.
package golden

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"transom.dev/render"
	"transom.dev/render/edits"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Case is a golden test of a version, the directory offerings/<offering>/<version>/tests/<case>:
//
//	request.yaml      a Request; its team is "team"
//	want.yaml         the manifest that it renders to
//	environment.yaml  optional: an Environment instead of the platform's, of which state and clusters may be omitted
//	cluster.yaml      optional: a Cluster instead of the platform's
//	<name>.yaml       optional: further Requests of the team, for it to be bound to
//	observed.yaml     optional: values of observed outputs that those have told, by request and output, instead of the examples
//
// It is rendered in the first environment that the request names, on its first cluster, and checked against the policies that
// judge there. The Jobs of checks that environments of the platform run are built with its inputs, up to the first that cannot be; those of a
// version without cases are built with a request of the platform. Who applies there makes no difference: the annotations that another agent
// needs in each object are in no case, nor are the values that requests give in secret. An environment that the platform does not have is one
// without values, with a cluster named test.
type Case struct {
	Version *platform.Version
	Name    string // empty: the version has no case, and the Problems are those of its checks
	Dir     string

	Want     []byte             // the content of want.yaml; nil: there is none
	Got      []byte             // the bytes the request renders to; nil where it does not
	Problems []platform.Problem // Warnings are of policies, and of upgrades: the effects of moving it to a later version

	loaded      *platform.Platform // in which the request is the only one
	environment string
	key         platform.RequestKey
	records     map[platform.RequestKey]*state.Release // with the values that the requests beside it have told
	content     string                                 // a digest of its files but want.yaml
	before      string                                 // it wants the bytes of a renderer before, which did this; empty: it does not
}

// WantFile is the path of the bytes that a case wants.
func (c *Case) WantFile() string { return path.Join(c.Dir, "want.yaml") }

// show renders the case's request, without the values that it gives in secret.
func (c *Case) show(r *render.Renderer, as render.Manner) (render.Rendered, []platform.Problem) {
	as.Unsealed, as.Records = true, c.records
	return r.Show(c.loaded, c.environment, c.key, as)
}

func (c *Case) broken() bool {
	return slices.ContainsFunc(c.Problems, func(p platform.Problem) bool { return !p.Warning })
}

const (
	testTeam        = "team"
	testCluster     = "test"
	testEnvironment = "transom-check" // of no platform, where a request is invented
)

// Cases runs the golden tests of a platform's versions; the file system is the one that the platform was loaded from.
// Versions that are broken or withdrawn are not tested.
func Cases(p *platform.Platform, fsys fs.FS) ([]*Case, error) {
	t := tester{platform: p, fsys: fsys, checked: jobsOf(p), blocked: map[string][]*Case{}}
	custom := t.renderer.FixedFields(p)
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		u := upgrader{renderer: &t.renderer, custom: custom, told: map[string]*platform.Version{}}
		for _, v := range p.Offerings[name].Versions {
			if v.Broken || v.Lifecycle == platform.Withdrawn {
				continue
			}
			cases, err := t.version(v)
			if err != nil {
				return nil, fmt.Errorf("test %s: %w", v, err)
			}
			if err := u.move(v, cases); err != nil {
				return nil, fmt.Errorf("test the upgrade to %s: %w", v, err)
			}
			if len(cases) == 0 {
				c, err := t.withoutCases(v)
				if err != nil {
					return nil, fmt.Errorf("test the checks of %s: %w", v, err)
				}
				if c != nil {
					cases = []*Case{c}
				}
			}
			t.cases = append(t.cases, cases...)
		}
	}
	t.tellBlocked()
	return t.cases, nil
}

// tellBlocked reports the cases that are not rendered for Problems of an environment of the platform, with one text for all of them.
func (t *tester) tellBlocked() {
	for file, cases := range t.blocked {
		message := fmt.Sprintf("the golden case %s is not rendered, as the environment has Problems; mend these first", cases[0].Dir)
		if len(cases) > 1 {
			message = fmt.Sprintf("%d golden cases are not rendered, of which %s is the first, as the environment has Problems; mend these first", len(cases), cases[0].Dir)
		}
		for _, c := range cases {
			c.Problems = append(c.Problems, platform.Problem{File: file, Rule: "test", Message: message})
		}
	}
}

// testedLines bounds the manifests that the cases of one version render to, by which the time that they take is bounded, too. A
// case takes some time however little it renders to, and one whose build is ended over a limit takes long and renders nothing:
// they count as so many lines.
const (
	testedLines     = 100_000
	linesOfAnyCase  = 200
	linesOfAnEnding = 50_000
)

type tester struct {
	platform *platform.Platform
	fsys     fs.FS
	loader   platform.Loader
	renderer render.Renderer
	cases    []*Case
	checked  []string           // directories of versions that have the Jobs of checks
	blocked  map[string][]*Case // those that are not rendered for Problems of an environment of the platform, by its file
}

// version runs the cases of one version.
func (t *tester) version(v *platform.Version) (cases []*Case, err error) {
	tests := path.Join(v.Dir, "tests")
	entries, err := fs.ReadDir(t.fsys, tests)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines, run, well := 0, 0, true
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if lines > testedLines {
			problem := platform.Problem{File: path.Join(tests, e.Name()), Rule: "too-many", Message: fmt.Sprintf(
				"is not run, nor is any case after it: the %d cases before it count as %d lines; at most %d for one version, where a case counts as %d at least, "+
					"and as %d if its build is ended; keep fewer cases, or smaller ones", run, lines, testedLines, linesOfAnyCase, linesOfAnEnding)}
			return append(cases, &Case{Version: v, Name: e.Name(), Dir: problem.File, Problems: []platform.Problem{problem}}), nil
		}
		c := &Case{Version: v, Name: e.Name(), Dir: path.Join(tests, e.Name())}
		if err := t.run(c); err != nil {
			return nil, err
		}
		if well && c.Got != nil {
			var built int
			built, well = t.checks(c)
			lines += built * linesOfAnyCase
		}
		lines, run = lines+c.lines(), run+1
		cases = append(cases, c)
	}
	return cases, nil
}

// lines are those that a case counts as.
func (c *Case) lines() int {
	if slices.ContainsFunc(c.Problems, func(p platform.Problem) bool { return p.Rule == render.RuleUnfinished }) {
		return linesOfAnEnding
	}
	return max(linesOfAnyCase, bytes.Count(c.Got, []byte("\n")))
}

// run loads a platform in which the case's request is the only one, renders it and compares.
func (t *tester) run(c *Case) error {
	files, err := t.read(c.Dir)
	if err != nil {
		return err
	}
	c.Want = files["want.yaml"]
	c.content = contentOfCase(files)
	s := setting{tester: t, Case: c, files: files, changes: map[string][]byte{"requests": nil, "decisions": nil}, origin: map[string]string{}}
	if !s.prepare() {
		return nil
	}
	edited, err := edits.Over(untested{t.fsys}, s.changes)
	if err != nil {
		return err
	}
	if c.loaded, err = t.loader.Load(edited); err != nil {
		return err
	}
	s.render()
	c.compare()
	return nil
}

// untested is the files of a platform without the cases of its versions, which no platform is made of: each case would have all others
// read.
type untested struct{ fs.FS }

func (u untested) ReadFile(name string) ([]byte, error) { return fs.ReadFile(u.FS, name) }

func (u untested) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(u.FS, name)
	if isVersion, _ := path.Match("offerings/*/*", name); isVersion {
		entries = slices.DeleteFunc(slices.Clone(entries), func(e fs.DirEntry) bool { return e.IsDir() && e.Name() == "tests" })
	}
	return entries, err
}

func (t *tester) read(dir string) (map[string][]byte, error) {
	entries, err := fs.ReadDir(t.fsys, dir)
	files := map[string][]byte{}
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".yaml") && err == nil {
			files[e.Name()], err = fs.ReadFile(t.fsys, path.Join(dir, e.Name()))
		}
	}
	return files, err
}

func contentOfCase(files map[string][]byte) string {
	content := map[string]any{}
	for name, text := range files {
		content[name] = string(text)
	}
	delete(content, "want.yaml")
	return platform.Digest(content)
}

// compare reports where the manifest is not the one that is wanted.
func (c *Case) compare() {
	if c.Got == nil || bytes.Equal(c.Got, c.Want) {
		return
	}
	problem := platform.Problem{File: c.WantFile(), Rule: "test"}
	switch {
	case c.Want == nil:
		problem.Message = "is missing; write it with transom check --update and review it"
	case c.before != "":
		problem.Warning = true
		problem.Message = "wants what an earlier Transom made of it, which " + c.before + "; " +
			"rewrite this with transom check --update and review it"
	default:
		want, got := strings.Split(string(c.Want), "\n"), strings.Split(string(c.Got), "\n")
		n := 0
		for n < len(want) && n < len(got) && want[n] == got[n] {
			n++
		}
		problem.Line = n + 1
		problem.Message = fmt.Sprintf("wants %s, but %s renders %s; mend the version, or rewrite this with transom check --update and review it",
			lineAt(want, n), c.Version, lineAt(got, n))
	}
	c.Problems = append(c.Problems, problem)
}

func lineAt(lines []string, n int) string {
	if n >= len(lines) || n == len(lines)-1 && lines[n] == "" {
		return "its end"
	}
	return fmt.Sprintf("%q", strings.TrimSpace(lines[n]))
}
