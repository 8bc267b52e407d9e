package audit

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// attempts bounds how many commits are rendered again to find the one that brought a file's bytes.
const attempts = 100

// Verified is the result of a verification.
type Verified struct {
	Environment string       `json:"environment"`
	Commit      string       `json:"commit"`   // of the state
	Signed      string       `json:"signed"`   // by which key, or that it is not
	Platform    string       `json:"platform"` // the platform commit that it was rendered with
	Files       int          `json:"files"`    // below clusters/
	Earlier     int          `json:"earlier"`  // of these, verified through the commit that brought their bytes
	First       int          `json:"first"`    // of these, made by the first renderer and rendered again by its rules
	Differences []Difference `json:"differences"`
}

// Difference is a file that differs from the one that its records name.
type Difference struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Verifier renders states of one environment again.
type Verifier struct {
	Environment     string
	State, Platform Past
	Tell            func(string)

	loader   platform.Loader
	renderer render.Renderer
	rendered map[string]*rerendering // by state commit
	position map[string]int          // of commits in the state's history, 0 the newest
}

// A rerendering is a state commit, rendered again.
type rerendering struct {
	platform string
	base     *render.Base // as the commit has it
	files    map[string][]byte
	problems map[platform.RequestKey]string
}

// Verify compares the files below clusters/ of a state commit with those that its Release files name.
func (v *Verifier) Verify(ctx context.Context, commit string) (*Verified, error) {
	snapshot, err := v.State.At(ctx, commit)
	if err != nil {
		return nil, err
	}
	signed, err := v.State.Signed(ctx, commit)
	if err != nil {
		return nil, err
	}
	now, err := v.rerender(ctx, commit)
	if err != nil {
		return nil, err
	}
	blobs, err := snapshot.Blobs(state.ClustersDir)
	if err != nil {
		return nil, err
	}
	result := &Verified{Environment: v.Environment, Commit: commit, Signed: signed.String(), Platform: now.platform, Files: len(blobs), Differences: recordsDiffer(now.base, blobs)}
	for i, file := range slices.Sorted(maps.Keys(blobs)) {
		content, err := snapshot.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if why := recordDiffers(now.base, file, content); why != "" {
			result.Differences = append(result.Differences, Difference{file, why})
			continue
		}
		first := now.first(file)
		if bytes.Equal(now.files[file], content) {
			result.First += first
			continue
		}
		v.Tell(fmt.Sprintf("comparing %s with earlier commits, %d of %d", file, i+1, len(blobs)))
		earlier, err := v.earlier(ctx, commit, file, content)
		if err != nil {
			return nil, err
		}
		if earlier {
			result.Earlier++
			result.First += first
		} else {
			result.Differences = append(result.Differences, Difference{file, now.differs(file, content)})
		}
	}
	return result, nil
}

// recordsDiffer lists the placements that are recorded and have no file.
func recordsDiffer(base *render.Base, blobs map[string]string) []Difference {
	found := []Difference{}
	for _, key := range slices.SortedFunc(maps.Keys(base.Releases), platform.RequestKey.Compare) {
		for _, cluster := range slices.Sorted(maps.Keys(base.Releases[key].Clusters)) {
			file := state.ManifestFile(cluster, key)
			if blobs[file] == "" {
				found = append(found, Difference{file, "is recorded in " + state.ReleaseFile(key) + ", and missing"})
			}
		}
	}
	return found
}

// recordDiffers says how a file's bytes are not those that its Release file records, or nothing.
func recordDiffers(base *render.Base, file string, content []byte) string {
	if _, _, isNamespace := state.ParseNamespaceFile(file); isNamespace {
		return ""
	}
	cluster, key, _ := state.ParseManifestFile(file)
	release := base.Releases[key] // nil for a file that is no manifest
	if release == nil {
		return "no Release file names it"
	}
	placed, recorded := release.Clusters[cluster]
	switch {
	case !recorded:
		return fmt.Sprintf("%s does not name cluster %s", state.ReleaseFile(key), cluster)
	case placed.Revision != state.Revision(content):
		return fmt.Sprintf("its bytes are revision %s, and %s records %s", terminal.Short(state.Revision(content)), state.ReleaseFile(key), terminal.Short(placed.Revision))
	}
	return ""
}

// earlier says whether an earlier commit brought these bytes of a file, and its Release files name them. That is so for a cluster
// whose wave is still to come, and for restored bytes.
func (v *Verifier) earlier(ctx context.Context, commit, file string, content []byte) (bool, error) {
	if err := v.numberCommits(ctx); err != nil {
		return false, err
	}
	log, err := v.State.Log(ctx, file, everything)
	if err != nil {
		return false, err
	}
	tried := 0
	for _, info := range log {
		if v.position[info.Commit] <= v.position[commit] || tried == attempts {
			continue
		}
		snapshot, err := v.State.At(ctx, info.Commit)
		if err != nil {
			return false, err
		}
		if had, err := snapshot.ReadFile(file); err != nil || !bytes.Equal(had, content) {
			continue
		}
		tried++
		then, err := v.rerender(ctx, info.Commit)
		if err != nil {
			return false, err
		}
		if bytes.Equal(then.files[file], content) && recordDiffers(then.base, file, content) == "" {
			return true, nil
		}
	}
	return false, nil
}

// numberCommits numbers the commits of the state, once.
func (v *Verifier) numberCommits(ctx context.Context) error {
	if v.position != nil {
		return nil
	}
	log, err := v.State.Log(ctx, ".", everything)
	if err != nil {
		return err
	}
	v.position = make(map[string]int, len(log))
	for i, c := range log {
		v.position[c.Commit] = i
	}
	return nil
}

// rerender renders the releases that the Release files of a state commit name, from nothing, as the renderer did that they
// name.
func (v *Verifier) rerender(ctx context.Context, commit string) (*rerendering, error) {
	if known := v.rendered[commit]; known != nil {
		return known, nil
	}
	snapshot, err := v.State.At(ctx, commit)
	if err != nil {
		return nil, err
	}
	base, err := render.ReadBase(snapshot)
	if err != nil {
		return nil, err
	}
	a := &rerendering{base: base, problems: map[platform.RequestKey]string{}}
	if a.platform, err = v.followed(ctx, commit, base); err != nil {
		return nil, err
	}
	v.Tell(fmt.Sprintf("rendering %s of state commit %s with platform commit %s", terminal.Count(len(base.Releases), "release"), terminal.Short(commit), terminal.Short(a.platform)))
	p, err := v.load(ctx, a.platform)
	if err != nil {
		return nil, err
	}
	state, err := v.renderer.Direct(p, v.Environment, &render.Base{}, render.Direction{Instances: platform.NewInstanceSet(a.instances(p, v.Environment)), Made: base.Releases})
	if err != nil {
		return nil, err
	}
	a.files = state.Changes
	for _, problem := range state.Problems {
		if problem.Request != nil && !problem.Warning && a.problems[*problem.Request] == "" {
			a.problems[*problem.Request] = problem.String()
		}
	}
	if v.rendered == nil {
		v.rendered = map[string]*rerendering{}
	}
	v.rendered[commit] = a
	return a, nil
}

// followed is the platform commit that a state commit was rendered from: its trailer names it. A commit without the trailer has
// the platform commit of the newest ancestor with one.
func (v *Verifier) followed(ctx context.Context, commit string, base *render.Base) (string, error) {
	for at := commit; at != ""; {
		info, err := v.State.Show(ctx, at)
		if err != nil {
			return "", err
		}
		if named := info.Trailer(state.TrailerPlatformCommit); len(named) > 0 {
			return named[0], nil
		}
		at = parent(info)
	}
	if base.Fleet.Platform == "" {
		return "", fmt.Errorf("neither a trailer %s nor %s says which platform commit it came from: is it a state repository?", state.TrailerPlatformCommit, state.FleetFile)
	}
	return base.Fleet.Platform, nil
}

// parent is the first parent of a commit; empty: it has none.
func parent(info gitrepo.CommitInfo) string {
	if len(info.Parents) == 0 {
		return ""
	}
	return info.Parents[0]
}

// load loads the platform at a commit; it must have the environment.
func (v *Verifier) load(ctx context.Context, commit string) (*platform.Platform, error) {
	snapshot, err := v.Platform.At(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("find platform commit %s: %w", terminal.Short(commit), err)
	}
	p, err := v.loader.Load(snapshot)
	if err != nil {
		return nil, fmt.Errorf("load platform commit %s: %w", terminal.Short(commit), err)
	}
	p.Commit = commit
	if p.Environments[v.Environment] == nil {
		return nil, fmt.Errorf("platform commit %s has no environment %s", terminal.Short(commit), v.Environment)
	}
	return p, nil
}

// instances resolves the releases that the Release files name, sorted by request.
func (a *rerendering) instances(p *platform.Platform, environment string) []*platform.Instance {
	list := []*platform.Instance{} // not nil: that would be the head's
	for _, key := range slices.SortedFunc(maps.Keys(a.base.Releases), platform.RequestKey.Compare) {
		r := a.base.Releases[key]
		if r.Absent {
			continue
		}
		i, problems := p.InstanceOf(environment, key, r.Request, r.Version, r.VersionDigest, r.File)
		if i != nil {
			list = append(list, i)
		}
		for _, problem := range problems {
			if !problem.Warning && a.problems[key] == "" {
				a.problems[key] = problem.String()
			}
		}
	}
	return list
}

// first counts a manifest that the first renderer made, which Release files do not name.
func (a *rerendering) first(file string) int {
	if renderer, recorded := a.renderer(file); recorded && renderer == "" {
		return 1
	}
	return 0
}

// renderer says which renderer made a manifest, as its Release file has it.
func (a *rerendering) renderer(file string) (name string, recorded bool) {
	cluster, key, ok := state.ParseManifestFile(file)
	if !ok || a.base.Releases[key] == nil {
		return "", false
	}
	placed, recorded := a.base.Releases[key].Clusters[cluster]
	return placed.Renderer, recorded
}

// differs says how a committed file differs from the rendered one.
func (a *rerendering) differs(file string, content []byte) string {
	_, key, isManifest := state.ParseManifestFile(file)
	renderer, _ := a.renderer(file)
	switch rendered, there := a.files[file]; {
	case renderer != "" && !render.Renders(renderer):
		return fmt.Sprintf("was made by renderer %q, and this is %q, which may come to other bytes: verify it with the Transom that made it", renderer, render.RendererID)
	case isManifest && a.problems[key] != "":
		return "cannot be rendered again: " + a.problems[key]
	case !there:
		return "nothing that its Release files name renders it"
	default:
		return firstDifference(content, rendered)
	}
}

// firstDifference shows the first line in which two files differ.
func firstDifference(committed, rendered []byte) string {
	have, want := strings.Split(string(committed), "\n"), strings.Split(string(rendered), "\n")
	for i := range max(len(have), len(want)) {
		line := func(of []string) string {
			if i >= len(of) {
				return "no more lines"
			}
			return fmt.Sprintf("%q", of[i])
		}
		if line(have) != line(want) {
			return fmt.Sprintf("line %d: committed is %s, rendered is %s", i+1, line(have), line(want))
		}
	}
	return "is the same text in other bytes"
}
