package golden

import (
	"io/fs"
	"maps"
	"slices"

	"transom.dev/render"
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

// checks builds the Jobs of checks that the version of a case has, with the inputs of the case, as an environment would only do once a release
// waits for them. It returns how many it built, and reports whether all of them can be built.
func (t *tester) checks(c *Case) (built int, well bool) {
	well = true
	for _, dir := range t.jobs {
		info, err := fs.Stat(c.Version.Files, dir)
		if err != nil || !info.IsDir() {
			continue
		}
		instances := c.loaded.Instances(c.environment)
		at := slices.IndexFunc(instances, func(i *platform.Instance) bool { return i.Request.Key == c.key })
		if at < 0 || len(instances[at].Clusters) == 0 {
			continue
		}
		job := render.CheckJob{Check: "check", Dir: dir, Prefix: c.key.Name + "-0123456789-"} // as long as the prefix that a daemon gives it
		_, err = t.renderer.CheckJob(c.loaded, c.environment, instances, c.records, c.key, instances[at].Clusters[0].Name, job)
		if built++; err != nil {
			c.Problems = append(c.Problems, platform.Problem{File: c.Dir, Rule: "check-job", Message: "the Job of the check " + dir + " cannot be built: " + err.Error()})
			well = false
		}
	}
	return built, well
}
