package golden

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"transom.dev/render"
	"transom.dev/render/edits"
	"transom.dev/render/platform"
)

// jobsOf are the directories of versions whose Jobs the checks of a platform's environments run, sorted.
func jobsOf(p *platform.Platform) []string {
	dirs := map[string]bool{}
	for _, e := range p.Environments {
		for _, c := range e.Gates.Checks {
			if c.Job != "" {
				dirs[c.Job] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(dirs))
}

// jobs are those of the directories with the Jobs of checks that a version has.
func (t *tester) jobs(v *platform.Version) []string {
	return slices.DeleteFunc(slices.Clone(t.checked), func(dir string) bool {
		info, err := fs.Stat(v.Files, dir)
		return err != nil || !info.IsDir()
	})
}

// checks builds the Jobs of checks that the version of a case has, with the inputs of the case, as an environment would only do once a release
// waits for them. It returns how many it built, and reports whether all of them can be built.
func (t *tester) checks(c *Case) (built int, well bool) {
	well = true
	for _, dir := range t.jobs(c.Version) {
		instances := c.loaded.Instances(c.environment)
		at := slices.IndexFunc(instances, func(i *platform.Instance) bool { return i.Request.Key == c.key })
		if at < 0 || len(instances[at].Clusters) == 0 {
			continue
		}
		job := render.CheckJob{Check: "check", Dir: dir, Prefix: c.key.Name + "-0123456789-"} // as long as the prefix that a daemon gives it
		_, err := t.renderer.CheckJob(c.loaded, c.environment, instances, c.records, c.key, instances[at].Clusters[0].Name, job)
		if built++; err != nil {
			c.Problems = append(c.Problems, platform.Problem{File: c.Dir, Rule: "check-job", Message: "the Job of the check " + dir + " cannot be built: " + err.Error()})
			well = false
		}
	}
	return built, well
}

// withoutCases builds the Jobs of checks of a version that has no case: with the inputs of a request of the platform, else of one without
// parameters. It returns nil where all of them can be built.
func (t *tester) withoutCases(v *platform.Version) (*Case, error) {
	dirs := t.jobs(v)
	if len(dirs) == 0 {
		return nil, nil
	}
	c := &Case{Version: v, Dir: v.Dir}
	if !t.requested(c) {
		if err := t.invent(c); err != nil {
			return nil, err
		}
		if c.Got == nil {
			c.Problems = []platform.Problem{{File: v.Dir, Rule: "check-job", Warning: true, Message: fmt.Sprintf("has the Job of the check %s, which nobody has built: "+
				"there is no request of the version that is bound to nothing, and without parameters it cannot be rendered; write a golden case, %s/tests/<case>/request.yaml",
				strings.Join(dirs, ", "), v.Dir)}}
			return c, nil
		}
		c.Got = nil // nobody wants it
	}
	if t.checks(c); len(c.Problems) == 0 {
		return nil, nil
	}
	return c, nil
}

// requested has a case be the first request of its version that runs on a cluster and is bound to nothing; false: there is none.
func (t *tester) requested(c *Case) bool {
	for _, name := range slices.Sorted(maps.Keys(t.platform.Environments)) {
		for _, i := range t.platform.Instances(name) {
			if i.Version == c.Version && len(i.Bindings) == 0 && len(i.Clusters) > 0 && !i.Environment.Broken {
				c.loaded, c.environment, c.key = t.platform, name, i.Request.Key
				return true
			}
		}
	}
	return false
}

// invent renders a case whose request says nothing but its version.
func (t *tester) invent(c *Case) error {
	request := fmt.Appendf(nil, "apiVersion: %s\nkind: Request\nmetadata: {name: %q}\nspec: {offering: %q, version: %q, environments: {%s: {}}}\n",
		platform.APIVersion, testTeam, c.Version.Offering, c.Version.Number, testEnvironment)
	s := setting{
		tester: t, Case: c, files: map[string][]byte{"request.yaml": request},
		changes: map[string][]byte{"requests": nil, "decisions": nil}, origin: map[string]string{},
	}
	if !s.prepare() {
		return nil
	}
	edited, err := edits.Over(untested{t.fsys}, s.changes)
	if err != nil {
		return err
	}
	if c.loaded, err = t.loader.Load(edited); err != nil {
		return fmt.Errorf("load %s with a request: %w", path.Base(c.Dir), err)
	}
	s.render()
	return nil
}
