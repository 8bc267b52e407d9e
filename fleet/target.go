package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// Target is what an environment shall be: a commit of its state repository and where it goes.
type Target struct {
	Environment string
	Commit      string   // of the state repository; empty: nothing was committed yet, so nothing is known to be gone
	Snapshot    Snapshot // of that commit; files are read when an instance is worked on, so it must stay readable
	Clusters    []Cluster

	// Awaited are, by cluster, instances that are to come to a cluster and that the snapshot does not have there yet. What
	// is there of them, from before the cluster was let go, is left alone until they come.
	Awaited map[string]map[apply.Owner]bool

	// Sequence orders the commits of the state repository: a later one has a higher. With it a daemon that is behind
	// another prunes nothing that a later commit may have brought; 0 is unknown, and then it might.
	Sequence int64

	// Fetched is when the fetch of that commit began. What somebody else applied since is not overwritten before the
	// commit was fetched again, because it may be of a later one; zero: nobody else applies states.
	Fetched time.Time

	// Adoptions are the digests of the adoptions that people approved, sorted, and AdoptNamespaces the namespaces that may be
	// taken over where they exist and are nobody's.
	Adoptions       []string
	AdoptNamespaces []string

	External    bool // another agent applies the state: its objects are looked at, and not written
	ReportDrift bool // what others change of an unchanged revision is only reported: Result.Drift

	// Past reads an earlier commit of the state, to know a pod of a revision that failed; nil: none can be read.
	Past func(ctx context.Context, commit string) (Snapshot, error)

	// Reversible says whether a version may be left without a person; nil: none may.
	Reversible func(offering, version string) bool
}

// Cluster is one of an environment's clusters with the settings that applying obeys.
type Cluster struct {
	Name  string
	State platform.ClusterState // paused: only observed. A draining cluster has no files in the snapshot.
	UID   string                // of its kube-system namespace, as pinned in fleet.yaml; empty: not pinned yet
}

// An assignment is what one environment wants of one cluster. It is read-only once made.
type assignment struct {
	environment string
	state       apply.State
	fetched     time.Time
	snapshot    Snapshot
	cluster     Cluster
	external    bool
	reportDrift bool
	adoption    adoption
	files       *listing // of clusters/<cluster>
	releases    *releases
	awaited     map[apply.Owner]bool
	past        func(ctx context.Context, commit string) (Snapshot, error)
	reversible  func(offering, version string) bool
}

// adoption is what an environment lets be taken over.
type adoption struct{ approved, namespaces []string }

func (a adoption) equal(b adoption) bool {
	return slices.Equal(a.approved, b.approved) && slices.Equal(a.namespaces, b.namespaces)
}

// contents is what a target's snapshot has, for the next target to start from.
type contents struct {
	releases *releases
	clusters map[string]*listing // by name
}

// read makes the assignments of a target by cluster, given the contents of the environment's target before, which may
// be nil. An error means that a part of the snapshot cannot be read; then there are none, because what is missing from
// an assignment is deleted.
func (t Target) read(before *contents) (map[string]*assignment, *contents, error) {
	if len(t.Clusters) == 0 {
		return nil, nil, nil
	}
	if before == nil {
		before = &contents{}
	}
	now, err := reader{t}.contents(before)
	if err != nil {
		return nil, nil, err
	}
	assigned := make(map[string]*assignment, len(t.Clusters))
	for _, c := range t.Clusters {
		assigned[c.Name] = &assignment{
			environment: t.Environment, snapshot: t.Snapshot,
			state: apply.State{Sequence: t.Sequence, Commit: t.Commit}, fetched: t.Fetched,
			cluster: c, external: t.External, reportDrift: t.ReportDrift, files: now.clusters[c.Name], releases: now.releases,
			awaited: t.Awaited[c.Name], past: t.Past, reversible: t.Reversible,
			adoption: adoption{t.Adoptions, t.AdoptNamespaces},
		}
	}
	return assigned, now, nil
}

// owners lists every instance that has a placement here, in the order of their files.
func (a *assignment) owners() []apply.Owner {
	var files []string
	for _, t := range a.files.teams {
		files = slices.AppendSeq(files, maps.Keys(t.blobs))
	}
	slices.Sort(files)
	var owners []apply.Owner
	for _, file := range files {
		if o, ok := a.owner(file); ok {
			owners = append(owners, o)
		}
	}
	return owners
}

// changed lists the instances that a pass may find different from what prev wanted: those whose manifests, release or
// namespace have another blob. Which Release files differ is the same for all clusters of a target.
func (a *assignment) changed(prev *assignment, releaseFiles []string) []apply.Owner {
	owners := map[apply.Owner]bool{}
	teams := map[string]bool{}
	for _, file := range prev.files.differing(a.files) {
		if o, ok := a.owner(file); ok {
			owners[o] = true
		} else if path.Base(file) == namespaceFile {
			teams[path.Base(path.Dir(file))] = true
		}
	}
	for _, file := range releaseFiles {
		if o, ok := a.releaseOwner(file); ok && (a.places(o) || a.removes(o)) {
			owners[o] = true
		}
	}
	if len(teams) > 0 {
		for _, o := range a.owners() {
			if teams[o.Team] {
				owners[o] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(owners), apply.Owner.Compare)
}

// places says whether the instance has manifests on this cluster.
func (a *assignment) places(o apply.Owner) bool {
	return a.files.blob(o.Team, a.manifests(o)) != ""
}

// removed lists every instance whose removal is recorded and that has no placement here. Its end is to be told here
// even if nothing of it was ever there: whoever waits for the removal waits for every cluster.
func (a *assignment) removed() []apply.Owner {
	var owners []apply.Owner
	for _, file := range a.releases.removals(a.readFile) {
		if o, ok := a.releaseOwner(file); ok && !a.places(o) {
			owners = append(owners, o)
		}
	}
	return owners
}

// removes says whether the Release file of an instance records its removal.
func (a *assignment) removes(o apply.Owner) bool {
	release, err := a.releases.read(o.Team, releaseFile(o), a.readFile)
	return err == nil && release.Absent
}

// instance reads what the cluster shall hold of an instance. Without manifests in the snapshot that is nothing, and
// the Release file, if there still is one, says how careful its removal must be.
func (a *assignment) instance(o apply.Owner) (apply.Instance, error) {
	release, err := a.releases.read(o.Team, releaseFile(o), a.readFile)
	if err != nil {
		return apply.Instance{}, err
	}
	in := apply.Instance{
		Owner: o, State: a.state, Fetched: a.fetched, Namespace: release.Clusters[a.cluster.Name].Namespace, Scope: release.Scope,
		Health: release.Health, Ignore: release.Ignore, Deletion: release.Deletion, Adopt: release.Adopt,
		Approved: a.adoption.approved, AdoptNamespaces: a.adoption.namespaces, OnRemoval: release.OnRemoval,
		External: a.external, ReportDrift: a.reportDrift,
		Superseded: a.superseded(o, release), Reversible: a.leaves(release.Offering, release.Version),
	}
	if !a.places(o) {
		in.Absent, in.Recorded = true, release.Absent
		return in, nil
	}
	if in.Manifests, err = a.readFile(a.manifests(o)); err != nil {
		return apply.Instance{}, err
	}
	sum := sha256.Sum256(in.Manifests)
	in.Revision = "sha256:" + hex.EncodeToString(sum[:])
	if recorded := release.Clusters[a.cluster.Name].Revision; recorded != in.Revision {
		return apply.Instance{}, fmt.Errorf("%s of state commit %q is %s, but %s records %q for it; nothing of it is applied"+
			" until a commit of Transom makes them agree", a.manifests(o), a.state.Commit, in.Revision, releaseFile(o), recorded)
	}
	if namespace := a.namespace(o); a.files.blob(o.Team, namespace) != "" {
		in.NamespaceManifest, err = a.readFile(namespace)
	}
	return in, err
}

func (a *assignment) readFile(file string) ([]byte, error) {
	data, err := a.snapshot.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read %s of state commit %q: %w", file, a.state.Commit, err)
	}
	return data, nil
}

const namespaceFile = "_namespace.yaml"

func (a *assignment) manifests(o apply.Owner) string {
	return "clusters/" + a.cluster.Name + "/" + o.Team + "/" + o.Request + ".yaml"
}

func (a *assignment) namespace(o apply.Owner) string {
	return "clusters/" + a.cluster.Name + "/" + o.Team + "/" + namespaceFile
}

func releaseFile(o apply.Owner) string { return "releases/" + o.Team + "/" + o.Request + ".yaml" }

// owner reads the instance off the path of its manifests, clusters/<cluster>/<team>/<request>.yaml. A name that
// begins with an underscore is no request's.
func (a *assignment) owner(file string) (apply.Owner, bool) {
	return a.ownerBelow("clusters/"+a.cluster.Name+"/", file)
}

func (a *assignment) releaseOwner(file string) (apply.Owner, bool) {
	return a.ownerBelow("releases/", file)
}

func (a *assignment) ownerBelow(dir, file string) (apply.Owner, bool) {
	rest, below := strings.CutPrefix(file, dir)
	team, base, two := strings.Cut(rest, "/")
	request, yaml := strings.CutSuffix(base, ".yaml")
	if !below || !two || !yaml || strings.Contains(base, "/") || strings.HasPrefix(base, "_") {
		return apply.Owner{}, false
	}
	return apply.Owner{Environment: a.environment, Team: team, Request: request}, true
}
