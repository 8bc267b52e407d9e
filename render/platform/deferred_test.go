package platform_test

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// newRequest is a request for a database.
func newRequest(name string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: " + name + "}\n" +
		"spec: {offering: postgres, version: \"1\", parameters: {storage: 1Gi}, environments: {dev: {}}}\n")}
}

// known is what a platform says of all its requests in dev.
func known(p *platform.Platform) (out []string) {
	for _, i := range p.Instances("dev") {
		out = append(out, i.Request.Key.String()+" "+i.Release)
	}
	for _, problem := range p.Problems {
		out = append(out, problem.String())
	}
	for _, r := range p.Requests() {
		out = append(out, fmt.Sprint(r.Key, r.Broken, r.Deferred))
	}
	return out
}

// TestNewRequestsBeyondABoundAreDeferred loads a merge of new requests, some of them broken, along with changes of known ones: these and
// so many new ones as the bound says come at once. Nothing is concluded of the others until a later load, and all loads together come to
// the same as one.
func TestNewRequestsBeyondABoundAreDeferred(t *testing.T) {
	files := large(t, 2)
	l := &platform.Loader{AtOnce: 3}
	first, err := l.Load(files)
	require.NoError(t, err)
	require.Zero(t, first.Deferred(), "the first load has no other before it, and resolves all")
	before := first.Requests()[0].Key

	files = maps.Clone(files)
	for n := range 7 {
		name := fmt.Sprintf("new%d", n)
		files["requests/"+before.Team+"/"+name+".yaml"] = newRequest(name)
	}
	files["requests/"+before.Team+"/new6.yaml"].Data = []byte("kind: nothing\n")
	files["requests/"+before.Team+"/new5.yaml"] = newRequest(before.Name) // which its file was called before
	delete(files, before.File())
	var other platform.RequestKey
	for _, r := range first.Requests()[1:] {
		other = r.Key
	}
	files[other.File()] = newRequest(other.Name)
	whole, err := platform.Load(files)
	require.NoError(t, err)

	p, err := l.Load(files)
	require.NoError(t, err)
	require.Equal(t, 4, p.Deferred())
	require.NotNil(t, p.Request(other))
	require.NotEqual(t, first.Request(other).Spec, p.Request(other).Spec, "what is known is resolved at once")
	require.Nil(t, p.Request(before))
	require.True(t, p.Broken("dev", before), "a deferred file calls itself so: nothing is removed")
	for n := range 7 {
		k := platform.RequestKey{Team: before.Team, Name: fmt.Sprintf("new%d", n)}
		require.Equal(t, n >= 3, p.Request(k).Deferred, k)
		require.Equal(t, n >= 3, p.Broken("dev", k), "a record of a deferred request would stay")
	}
	require.Equal(t, map[string]int{"postgres": 2}, p.DeferredIn("dev"), "the broken ones come to nothing")

	p, err = l.Load(files)
	require.NoError(t, err)
	require.Equal(t, 1, p.Deferred())
	p, err = l.Load(files)
	require.NoError(t, err)
	require.Zero(t, p.Deferred())
	require.Empty(t, p.DeferredIn("dev"))
	require.Equal(t, known(whole), known(p))
}

// TestARequestComesWithWhatItIsBoundTo beyond the bound: nobody is told to wait for one that is only deferred.
func TestARequestComesWithWhatItIsBoundTo(t *testing.T) {
	files := large(t, 2)
	l := &platform.Loader{AtOnce: 1}
	first, err := l.Load(files)
	require.NoError(t, err)
	team, head := first.Requests()[0].Key.Team, "apiVersion: transom.dev/v1alpha1\nkind: "
	files = maps.Clone(files)
	for name, text := range map[string]string{
		"offerings/shop/offering.yaml":            head + "Offering\nmetadata: {name: shop}\nspec: {title: Shop}\n",
		"offerings/shop/1.0.0/version.yaml":       head + "Version\nmetadata: {name: shop}\nspec: {bindings: {database: {offerings: [postgres], required: true}}}\n",
		"offerings/shop/1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
		"requests/" + team + "/a.yaml":            head + "Request\nmetadata: {name: a}\nspec: {offering: shop, version: \"1\", bindings: {database: b}, environments: {dev: {}}}\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	files["requests/"+team+"/b.yaml"] = newRequest("b")
	p, err := l.Load(files)
	require.NoError(t, err)
	require.False(t, p.Request(platform.RequestKey{Team: team, Name: "b"}).Deferred)
	require.Equal(t, first.Problems, p.Problems)
	delete(files, "requests/"+team+"/b.yaml")
	p, err = l.Load(files)
	require.NoError(t, err)
	require.Greater(t, len(p.Problems), len(first.Problems), "now there is none")
}

// TestANeighboursNewRequestDoesNotWaitForACrowd has one new request of a team come after a crowd of another one.
func TestANeighboursNewRequestDoesNotWaitForACrowd(t *testing.T) {
	files := large(t, 2)
	l := &platform.Loader{AtOnce: 3}
	_, err := l.Load(files)
	require.NoError(t, err)
	files = maps.Clone(files)
	for n := range 9 {
		name := fmt.Sprintf("new%d", n)
		files["requests/a-crowd/"+name+".yaml"] = newRequest(name)
	}
	p, err := l.Load(files)
	require.NoError(t, err)
	require.Equal(t, 6, p.Deferred())
	files = maps.Clone(files)
	files["requests/team-1/mine.yaml"] = newRequest("mine") // a later merge of a neighbour
	p, err = l.Load(files)
	require.NoError(t, err)
	require.False(t, p.Request(platform.RequestKey{Team: "team-1", Name: "mine"}).Deferred, "one request of a neighbour waits for the whole crowd")
}

// TestFilesOfACrowdAreReadInTurns counts what is read of a file system that knows ids: a change of a neighbour and of a known request come
// with the first load, which reads few files of the crowd, none of the crowd comes before all of it was counted, and each file is read once.
func TestFilesOfACrowdAreReadInTurns(t *testing.T) {
	const atOnce, atMost, count = 3, 6, 40
	fsys := snapshot{large(t, 2), map[string]int{}}
	l := &platform.Loader{AtOnce: atOnce}
	first, err := l.Load(fsys)
	require.NoError(t, err)
	edited := first.Requests()[0].Key
	fsys.MapFS = maps.Clone(fsys.MapFS)
	names := map[string]bool{"requests/team-1/mine.yaml": true, edited.File(): true}
	for n := range count {
		k := platform.RequestKey{Team: "a-crowd", Name: fmt.Sprintf("new%02d", n)}
		fsys.MapFS[k.File()], names[k.File()] = newRequest(k.Name), true
	}
	fsys.MapFS[edited.File()] = newRequest(edited.Name)
	fsys.MapFS["requests/team-1/mine.yaml"] = newRequest("mine")
	whole, err := platform.Load(fsys.MapFS)
	require.NoError(t, err)
	clear(fsys.reads)

	last := count
	for turn := 0; ; turn++ {
		p, err := l.Load(fsys)
		require.NoError(t, err)
		require.Equal(t, "1Gi", instance(t, p, "dev", edited.String()).Parameters["storage"])
		require.False(t, p.Request(platform.RequestKey{Team: "team-1", Name: "mine"}).Deferred)
		read := 0
		for name := range fsys.reads {
			if strings.HasPrefix(name, "requests/a-crowd/") {
				read++
			}
		}
		require.LessOrEqual(t, read, (turn+1)*atMost)
		if read < count {
			require.Equal(t, count, p.Deferred(), "a request comes before all that it shares with were counted")
		}
		require.LessOrEqual(t, last-p.Deferred(), atOnce)
		for name := range names {
			require.LessOrEqual(t, fsys.reads[name], 1, name)
		}
		if last = p.Deferred(); last == 0 {
			require.Equal(t, known(whole), known(p))
			return
		}
		require.Less(t, turn, 30)
	}
}

// TestAKnownRequestBringsWhatItIsBoundToOutOfACrowd has a request that runs bound to a new one whose file no load would read so early, and
// another to one that there is not: the crowd may have a file that calls itself so.
func TestAKnownRequestBringsWhatItIsBoundToOutOfACrowd(t *testing.T) {
	const head = "apiVersion: transom.dev/v1alpha1\nkind: "
	bound := func(name, to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(head + "Request\nmetadata: {name: " + name + "}\nspec: {offering: shop, version: \"1\", bindings: {database: " + to + "}, environments: {dev: {}}}\n")}
	}
	files := large(t, 2)
	for name, text := range map[string]string{
		"offerings/shop/offering.yaml":            head + "Offering\nmetadata: {name: shop}\nspec: {title: Shop}\n",
		"offerings/shop/1.0.0/version.yaml":       head + "Version\nmetadata: {name: shop}\nspec: {bindings: {database: {offerings: [postgres], required: true}}}\n",
		"offerings/shop/1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	files["requests/team-0/a.yaml"], files["requests/team-0/b.yaml"] = bound("a", "db-0"), bound("b", "db-0")
	fsys := snapshot{files, map[string]int{}}
	l := &platform.Loader{AtOnce: 1}
	first, err := l.Load(fsys)
	require.NoError(t, err)

	fsys.MapFS = maps.Clone(files)
	for n := range 30 {
		name := fmt.Sprintf("new%02d", n)
		fsys.MapFS["requests/team-0/"+name+".yaml"] = newRequest(name)
	}
	fsys.MapFS["requests/team-0/a.yaml"], fsys.MapFS["requests/team-0/b.yaml"] = bound("a", "new29"), bound("b", "nobody")
	whole, err := platform.Load(fsys.MapFS)
	require.NoError(t, err)
	require.Len(t, whole.Problems, len(first.Problems)+1)
	p, err := l.Load(fsys)
	require.NoError(t, err)
	require.Equal(t, 29, p.Deferred())
	require.False(t, p.Request(platform.RequestKey{Team: "team-0", Name: "new29"}).Deferred)
	require.Equal(t, "new29", instance(t, p, "dev", "team-0/a").Bindings["database"].Name)
	require.Equal(t, first.Problems, p.Problems, "one of the files that were not read may call itself so")
	for turn := 0; p.Deferred() > 0; turn++ {
		require.Less(t, turn, 50)
		p, err = l.Load(fsys)
		require.NoError(t, err)
	}
	require.Equal(t, known(whole), known(p))
}

// TestNothingIsRemovedBeforeAllCame renames a request in a merge that also brings a crowd: the old one stays until the new one is there.
func TestNothingIsRemovedBeforeAllCame(t *testing.T) {
	files := large(t, 2)
	l := &platform.Loader{AtOnce: 3}
	first, err := l.Load(files)
	require.NoError(t, err)
	old := first.Requests()[len(first.Requests())-1].Key
	files = maps.Clone(files)
	for n := range 9 {
		name := fmt.Sprintf("new%d", n)
		files["requests/"+old.Team+"/"+name+".yaml"] = newRequest(name)
	}
	delete(files, old.File())
	renamed := platform.RequestKey{Team: old.Team, Name: "renamed"}
	files[renamed.File()] = newRequest("renamed")
	for {
		p, err := l.Load(files)
		require.NoError(t, err)
		there := !p.Request(renamed).Deferred
		require.True(t, there || p.Broken("dev", old), "neither the old nor the new one")
		if p.Deferred() == 0 {
			require.False(t, p.Broken("dev", old), "it goes once all came")
			return
		}
	}
}

// TestTurnsEndAsOneLoad: whatever happens to the files while requests are deferred, the last turn comes to what one load comes to, no
// Problem flashes up, and nothing that will be there is taken for absent.
func TestTurnsEndAsOneLoad(t *testing.T) {
	l, git := &platform.Loader{AtOnce: 1}, &platform.Loader{AtOnce: 1}
	halfway := 0
	unread := 0
	atRandom(t, 3, 150, func(random *rand.Rand, fsys fstest.MapFS) {
		for n := range random.IntN(12) { // more than one load reads
			name := fmt.Sprintf("crowd%d", n)
			fsys["requests/payments/"+name+".yaml"] = newRequest([]string{name, "orders-db", name}[random.IntN(3)])
		}
		want, err := platform.Load(fsys)
		require.NoError(t, err)
		stop := random.IntN(3) == 0 // the next commit comes while requests are deferred
		for l, fsys := range map[*platform.Loader]fs.FS{l: fsys, git: snapshot{fsys, map[string]int{}}} {
			final := map[string]bool{}
			for _, line := range strings.Split(lines(want.Problems), "\n") {
				final[line] = true
			}
			for turn := 0; ; turn++ {
				require.Less(t, turn, 100)
				got, err := l.Load(fsys)
				require.NoError(t, err)
				for _, line := range strings.Split(lines(got.Problems), "\n") {
					require.True(t, final[line], "flashes up: %s", line)
				}
				requireNothingGoes(t, want, got)
				if got.Deferred() > 0 {
					halfway++
					unread += unreadOf(got)
					if stop && turn == 0 {
						break
					}
					continue
				}
				require.Equal(t, lines(want.Problems), lines(got.Problems))
				require.Equal(t, outcome(want), outcome(got))
				for _, env := range environments(want) {
					require.Equal(t, releases(want, env), releases(got, env))
				}
				break
			}
		}
	})
	require.Greater(t, halfway, 20)
	require.Greater(t, unread, 20)
}

// unreadOf counts the requests whose files were not read.
func unreadOf(p *platform.Platform) (n int) {
	for _, r := range p.Requests() {
		if r.Deferred && r.Spec.Offering == "" {
			n++
		}
	}
	return n
}

// requireNothingGoes of those instances that a later platform has: they are there, or are taken for broken.
func requireNothingGoes(t *testing.T, later, now *platform.Platform) {
	t.Helper()
	for _, env := range environments(later) {
		there := map[platform.RequestKey]bool{}
		for _, i := range now.Instances(env) {
			there[i.Request.Key] = true
		}
		for _, i := range later.Instances(env) {
			require.True(t, there[i.Request.Key] || now.Broken(env, i.Request.Key), "%s would be removed from %s", i.Request.Key, env)
		}
	}
}

// TestACrowdTellsOfANarrowedVersionOnce has a crowd that a version breaks: its Problem does not read otherwise after each load.
func TestACrowdTellsOfANarrowedVersionOnce(t *testing.T) {
	const head = "apiVersion: transom.dev/v1alpha1\nkind: "
	files := large(t, 2)
	for number, most := range map[string]string{"1.0.0": "100", "1.1.0": "10"} {
		files["offerings/shop/"+number+"/version.yaml"] = &fstest.MapFile{Data: []byte(head + "Version\nmetadata: {name: shop}\n" +
			"spec: {parameters: {type: object, properties: {size: {type: integer, maximum: " + most + "}}}}\n")}
		files["offerings/shop/"+number+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")}
	}
	files["offerings/shop/offering.yaml"] = &fstest.MapFile{Data: []byte(head + "Offering\nmetadata: {name: shop}\nspec: {title: Shop}\n")}
	fsys := snapshot{files, map[string]int{}}
	l := &platform.Loader{AtOnce: 2}
	_, err := l.Load(fsys)
	require.NoError(t, err)
	fsys.MapFS = maps.Clone(files)
	for n := range 20 {
		k := platform.RequestKey{Team: "a-crowd", Name: fmt.Sprintf("new%02d", n)}
		fsys.MapFS[k.File()] = &fstest.MapFile{Data: []byte(head + "Request\nmetadata: {name: " + k.Name + "}\n" +
			"spec: {offering: shop, version: \"1\", parameters: {size: 50}, environments: {dev: {}}}\n")}
	}
	var told []string
	for deferred := 1; deferred > 0; {
		p, err := l.Load(fsys)
		require.NoError(t, err)
		deferred = p.Deferred()
		for _, problem := range p.Problems {
			if problem.Rule == "narrowed" && (len(told) == 0 || told[len(told)-1] != problem.Message) {
				told = append(told, problem.Message)
			}
		}
	}
	require.Len(t, told, 2)
	require.Contains(t, told[1], "15 more")
}

// TestAFolderThatIsTooLargeStaysSo when something else in it changes: it is not taken for small while its files are read in turns.
func TestAFolderThatIsTooLargeStaysSo(t *testing.T) {
	files := large(t, 2)
	l := &platform.Loader{AtOnce: 2}
	fsys := snapshot{maps.Clone(files), map[string]int{}}
	_, err := l.Load(fsys)
	require.NoError(t, err)
	much := []byte("# " + strings.Repeat("x", 8<<20) + "\n")
	for n := range 9 {
		fsys.MapFS[fmt.Sprintf("requests/a-crowd/new%d.yaml", n)] = &fstest.MapFile{Data: much}
	}
	tooLarge := func(p *platform.Platform) bool {
		return slices.ContainsFunc(p.Problems, func(problem platform.Problem) bool { return problem.Rule == "too-large" })
	}
	for turn := 0; ; turn++ {
		require.Less(t, turn, 10)
		p, err := l.Load(fsys)
		require.NoError(t, err)
		if p.Deferred() == 0 {
			require.True(t, tooLarge(p))
			break
		}
	}
	fsys.MapFS["requests/a-crowd/one-more.yaml"] = newRequest("one-more")
	p, err := l.Load(fsys)
	require.NoError(t, err)
	require.True(t, tooLarge(p), "the Problem is said to be mended")
	for n := range 9 {
		delete(fsys.MapFS, fmt.Sprintf("requests/a-crowd/new%d.yaml", n))
	}
	p, err = l.Load(fsys)
	require.NoError(t, err)
	require.False(t, tooLarge(p))
	require.NotNil(t, instance(t, p, "dev", "a-crowd/one-more"))
}

// TestAnIgnoredFolderTakesNoTurnOfATeam: a folder beside those of teams, of which nothing is ever read, is no crowd that comes first.
func TestAnIgnoredFolderTakesNoTurnOfATeam(t *testing.T) {
	files := large(t, 2)
	l := &platform.Loader{AtOnce: 2}
	_, err := l.Load(snapshot{files, map[string]int{}})
	require.NoError(t, err)
	for n := range 8 {
		files[fmt.Sprintf("requests/.archive/old%d.yaml", n)] = newRequest("old")
		files[fmt.Sprintf("requests/crowd/new%d.yaml", n)] = newRequest(fmt.Sprint("new", n))
	}
	files["requests/crowd/new8.yaml"] = newRequest("new8")
	for range 8 { // three to read the files, five to resolve the requests
		p, err := l.Load(snapshot{files, map[string]int{}})
		require.NoError(t, err)
		if p.Deferred() == 0 {
			return
		}
	}
	require.Fail(t, "the requests of the crowd never come")
}
