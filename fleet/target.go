package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Target is the desired state of an environment: a commit of its state repository and the clusters that it goes to.
type Target struct {
	Environment string
	Commit      string   // of the state repository; empty: nothing was committed yet, so nothing is known to be gone
	Snapshot    Snapshot // of that commit; files are read when an instance is worked on, so it must stay readable
	Clusters    []Cluster

	// Awaited, if set, says whether an instance is to come to a cluster that the snapshot does not have there yet. Its objects that
	// are there from before the cluster was let go are not touched until it comes. It is used concurrently.
	Awaited func(cluster string, o apply.Owner) bool

	// Sequence orders the commits of the state repository: a later one has a higher. With it a daemon that is behind
	// another prunes nothing that a later commit may have brought; 0 is unknown, and then it might.
	Sequence int64

	// Fetched is when the fetch of that commit began. An instance that somebody else applied since is not overwritten before
	// the commit was fetched again, because it may be of a later one; zero: nobody else applies states.
	Fetched time.Time

	Rules // of the environment, for all its instances

	// Begins says which instances Rehearse looks at although their requests adopt nothing: objects that were kept of an
	// instance before may be theirs again. nil: none.
	Begins func(apply.Owner) bool

	// Lineage is the history of that commit. Where a cluster was last written for a commit that it does not have, nothing of
	// the environment is written; nil: nobody else keeps an environment of that name.
	Lineage *apply.Lineage

	// Proof, if set, says of each instance whether the changes of this state that the cluster does not have yet may be
	// written. It stays the same as long as its answers do: with another one, instances that were withheld are looked at again.
	// nil: all may.
	Proof Proof

	// Past reads an earlier commit of the state, to know a pod of a revision that failed; nil: none can be read.
	Past func(ctx context.Context, commit string) (Snapshot, error)
}

// Rules are the settings of an environment that applying obeys.
type Rules struct {
	External    bool // another agent applies the state: its objects are looked at, and not written
	ReportDrift bool // fields of an unchanged revision that others change are only reported: Result.Drift

	// Adoptions are the digests of the adoptions that people approved, sorted, and AdoptNamespaces the namespaces that may be
	// taken over where they exist and are nobody's.
	Adoptions       []string
	AdoptNamespaces []string

	// Impersonate names the ServiceAccounts as which objects are written.
	Impersonate platform.Impersonation

	// Reversible says whether a version may be replaced without a person; nil: none may.
	Reversible func(offering, version string) bool
}

// sameFor says whether two rules ask for the same of every instance. Reversible is none of that: it is asked about a pod
// that does not start.
func (r Rules) sameFor(other Rules) bool {
	return r.External == other.External && r.ReportDrift == other.ReportDrift && r.Impersonate.Equal(other.Impersonate) &&
		slices.Equal(r.Adoptions, other.Adoptions) && slices.Equal(r.AdoptNamespaces, other.AdoptNamespaces)
}

// Proof says whether the files that a state has of instances on clusters are proven to be Transom's. It is used
// concurrently.
type Proof interface {
	// Withheld says why nothing of an instance may be written to a cluster or deleted there; empty: it may.
	Withheld(ctx context.Context, cluster string, o apply.Owner) (string, error)

	// Rest takes that the cluster has all of the instance.
	Rest(cluster string, o apply.Owner)
}

// instanceProof is the proof of one instance on one cluster.
type instanceProof struct {
	Proof
	cluster string
	owner   apply.Owner
}

// Withheld is part of apply.Proof.
func (p instanceProof) Withheld(ctx context.Context) (string, error) {
	return p.Proof.Withheld(ctx, p.cluster, p.owner)
}

// Rest is part of apply.Proof.
func (p instanceProof) Rest() { p.Proof.Rest(p.cluster, p.owner) }

// Cluster is one of an environment's clusters with the settings that applying obeys.
type Cluster struct {
	Name  string
	State platform.ClusterState // paused: only observed. A draining cluster has files in the snapshot until the others are well.
	UID   string                // of its kube-system namespace, as pinned in fleet.yaml; empty: not pinned yet
	Own   bool                  // it is the one that the daemon runs in, and is reached by the daemon's ServiceAccount
}

// An assignment is the part of a target that concerns one cluster. It is read-only once made.
type assignment struct {
	*Target            // shared by the assignments of all its clusters
	cluster  Cluster   // the one of Target.Clusters that it is for
	contents *contents // of Target.Snapshot
	pinned   *pinned   // of Target.Clusters; the one of the target before, where they are equal
}

// pinned are the identities of an environment's clusters. Each of its clusters asks at each commit whether they are those of before, and
// with one pointer for all of them the answer is cheap.
type pinned struct{ identities }

// identities are the names of an environment's clusters by identity, sorted.
type identities map[string][]string

func (t *Target) identities() identities {
	all := identities{}
	for _, c := range t.Clusters {
		if c.UID != "" {
			all[c.UID] = append(all[c.UID], c.Name)
			slices.Sort(all[c.UID])
		}
	}
	return all
}

// equal says whether the same clusters have the same identities.
func (p *pinned) equal(other *pinned) bool {
	return p == other || maps.EqualFunc(p.identities, other.identities, slices.Equal)
}

// concernsAll says whether an assignment asks for something else of every instance than the one before it.
func (a *assignment) concernsAll(prev *assignment) bool {
	return !prev.pinned.equal(a.pinned) || prev.cluster != a.cluster || !prev.Rules.sameFor(a.Rules)
}

// state is the state commit that the assignment was read from.
func (a *assignment) state() apply.State { return apply.State{Sequence: a.Sequence, Commit: a.Commit} }

// files lists clusters/<cluster>.
func (a *assignment) files() *listing { return a.contents.clusters[a.cluster.Name] }

// contents are the files of a target's snapshot, for the next target to start from.
type contents struct {
	releases *releases
	clusters map[string]*listing // by name
	pinned   *pinned             // of the target's clusters
}

// assignments makes the assignments of a target by cluster, given the contents of the environment's target before, which may
// be nil. An error means that a part of the snapshot cannot be read; then there are none, because an instance that is
// missing from an assignment is deleted.
func (t Target) assignments(before *contents) (map[string]*assignment, *contents, error) {
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
	now.pinned = &pinned{t.identities()}
	if before.pinned != nil && before.pinned.equal(now.pinned) {
		now.pinned = before.pinned
	}
	assigned := make(map[string]*assignment, len(t.Clusters))
	for _, c := range t.Clusters {
		assigned[c.Name] = &assignment{Target: &t, cluster: c, contents: now, pinned: now.pinned}
	}
	return assigned, now, nil
}

// owners lists every instance that has a placement here, in the order of their files.
func (a *assignment) owners() []apply.Owner {
	var files []string
	for _, t := range a.files().teams {
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

// changed lists the instances that a visit may find different from prev: those whose manifests or namespace
// have another blob or that are to be removed, and apart from them those of which no more than the Release file differs.
// Which Release files differ is the same for all clusters of a target.
func (a *assignment) changed(prev *assignment, releaseFiles []string) (applied, recorded []apply.Owner) {
	owners, records := map[apply.Owner]bool{}, map[apply.Owner]bool{}
	teams := map[string]bool{}
	for _, file := range prev.files().differing(a.files()) {
		if o, ok := a.owner(file); ok {
			owners[o] = true
		} else if _, team, ok := state.ParseNamespaceFile(file); ok {
			teams[team] = true
		}
	}
	for _, file := range releaseFiles {
		o, ok := a.releaseOwner(file)
		switch {
		case !ok:
		case a.hasManifests(o):
			records[o] = true
		case a.recordsRemoval(o):
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
	maps.DeleteFunc(records, func(o apply.Owner, _ bool) bool { return owners[o] })
	return slices.SortedFunc(maps.Keys(owners), apply.Owner.Compare), slices.SortedFunc(maps.Keys(records), apply.Owner.Compare)
}

// forgets says whether one of the Release files that differ from prev recorded a removal, and does not any more. Where the
// instance had manifests here, changed lists it if anything is to be done; then no record has to be decoded.
func (a *assignment) forgets(prev *assignment, releaseFiles []string) bool {
	return slices.ContainsFunc(releaseFiles, func(file string) bool {
		o, ok := a.releaseOwner(file)
		return ok && !prev.hasManifests(o) && prev.recordsRemoval(o) && !a.recordsRemoval(o)
	})
}

// hasManifests says whether the instance has manifests on this cluster.
func (a *assignment) hasManifests(o apply.Owner) bool {
	return a.files().blob(o.Team, a.manifests(o)) != ""
}

// writesTo says whether the environment writes to the cluster that answers, under this name.
func (a *assignment) writesTo(uid string) bool { return a.cluster.UID == uid && a.twin(uid) == "" }

// twin is another name that the environment knows the cluster of an identity by, and writes to it under; empty if there is
// none. Of several names, that is the first.
func (a *assignment) twin(uid string) string {
	if names := a.pinned.identities[uid]; len(names) > 0 && names[0] != a.cluster.Name {
		return names[0]
	}
	return ""
}

// shares says whether the instance has manifests under another name of this very cluster. Then it is not gone from there.
func (a *assignment) shares(o apply.Owner) bool {
	return slices.ContainsFunc(a.pinned.identities[a.cluster.UID], func(name string) bool {
		return name != a.cluster.Name && a.contents.clusters[name].blob(o.Team, state.ManifestFile(name, o.Key())) != ""
	})
}

// keeps says whether the objects of an instance without manifests here stay all the same: nothing was committed yet, so
// nothing is known to be gone; the instance is to come back; or it is there under another name of the cluster.
func (a *assignment) keeps(o apply.Owner, in apply.Instance) bool {
	returns := a.Awaited != nil && !in.Recorded && a.Awaited(a.cluster.Name, o)
	return a.Commit == "" || returns || a.shares(o)
}

// removed lists every instance whose removal is recorded and that has no placement here. Its end is to be reported here
// even if nothing of it was ever there: whoever waits for the removal waits for every cluster.
func (a *assignment) removed() []apply.Owner {
	var owners []apply.Owner
	for _, file := range a.contents.releases.removals(a.readFile) {
		if o, ok := a.releaseOwner(file); ok && !a.hasManifests(o) {
			owners = append(owners, o)
		}
	}
	return owners
}

// recordsRemoval says whether the Release file of an instance records its removal.
func (a *assignment) recordsRemoval(o apply.Owner) bool {
	release, err := a.contents.releases.read(o.Team, releaseFile(o), a.readFile)
	return err == nil && release.Absent
}

// instance reads the manifests and the record of an instance for this cluster. Without manifests in the snapshot it is
// Absent, and the Release file, if there still is one, says how careful its removal must be.
func (a *assignment) instance(o apply.Owner) (apply.Instance, error) {
	release, err := a.contents.releases.read(o.Team, releaseFile(o), a.readFile)
	if err != nil {
		return apply.Instance{}, err
	}
	in := apply.Instance{
		Owner: o, State: a.state(), Lineage: a.Lineage, Fetched: a.Fetched, Namespace: release.Clusters[a.cluster.Name].Namespace, Scope: release.Scope,
		Health: release.Health, Ignore: release.Ignore, Deletion: release.Deletion, Adopt: release.Adopt,
		Observes: release.Observes,
		Approved: a.Adoptions, AdoptNamespaces: a.AdoptNamespaces, OnRemoval: release.OnRemoval,
		External: a.External, ReportDrift: a.ReportDrift,
		Superseded: a.superseded(o, release), Reversible: a.mayReplace(release.Offering, release.Version),
	}
	if in.Accounts, err = a.accounts(o.Team); err != nil {
		return apply.Instance{}, err
	}
	if a.Proof != nil {
		in.Proof = instanceProof{a.Proof, a.cluster.Name, o}
	}
	if !a.hasManifests(o) {
		in.Absent, in.Recorded = true, release.Absent
		return in, nil
	}
	if in.Manifests, err = a.readFile(a.manifests(o)); err != nil {
		return apply.Instance{}, err
	}
	in.Revision = state.Revision(in.Manifests)
	in.Anew = release.Clusters[a.cluster.Name].Anew
	recorded := release.Clusters[a.cluster.Name].Revision
	if recorded != in.Revision {
		return apply.Instance{}, fmt.Errorf("%s of state commit %q is %s, but %s records %q for it; nothing of it is applied"+
			" until a commit of Transom makes them agree", a.manifests(o), a.Commit, in.Revision, releaseFile(o), recorded)
	}
	in.Revision = recorded // the same text, of which the clusters of a release have one
	if namespace := a.namespace(o); a.files().blob(o.Team, namespace) != "" {
		in.NamespaceManifest, err = a.readFile(namespace)
	}
	return in, err
}

// accounts are those of a team; nil where the daemon writes as itself.
func (a *assignment) accounts(team string) (*apply.Accounts, error) {
	if a.Impersonate.ServiceAccount == nil {
		return nil, nil
	}
	name, err := a.Impersonate.Account(team)
	if err != nil {
		return nil, fmt.Errorf("spec.impersonate.serviceAccount of environment %s: %w", a.Environment, err)
	}
	return &apply.Accounts{Name: name, ClusterScoped: a.Impersonate.ClusterScoped}, nil
}

func (a *assignment) readFile(file string) ([]byte, error) {
	data, err := a.Snapshot.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read %s of state commit %q: %w", file, a.Commit, err)
	}
	return data, nil
}

func (a *assignment) manifests(o apply.Owner) string {
	return state.ManifestFile(a.cluster.Name, o.Key())
}

func (a *assignment) namespace(o apply.Owner) string {
	return state.NamespaceFile(a.cluster.Name, o.Team)
}

func releaseFile(o apply.Owner) string { return state.ReleaseFile(o.Key()) }

// owner reads the instance off the path of its manifests on this cluster.
func (a *assignment) owner(file string) (apply.Owner, bool) {
	cluster, k, ok := state.ParseManifestFile(file)
	return a.ownerOf(k), ok && cluster == a.cluster.Name
}

func (a *assignment) releaseOwner(file string) (apply.Owner, bool) {
	k, ok := state.ParseReleaseFile(file)
	return a.ownerOf(k), ok
}

func (a *assignment) ownerOf(k platform.RequestKey) apply.Owner {
	return apply.Owner{Environment: a.Environment, Team: k.Team, Request: k.Name}
}
