package e2e_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"

	"transom.dev/reconciler/status"
)

// recordWith makes the fixture anew before the test: see testdata/format1/README.md.
var recordWith = flag.String("record-with", "", "the transom binary to record testdata/format1 with")

const formatBefore = "testdata/format1"

// TestFormatBeforeStaysAtRest starts today's binary twice on the files and objects of the binary of the format before: it commits
// nothing, writes nothing, and knows how everything is. Then one request changes, and only that one does.
func TestFormatBeforeStaysAtRest(t *testing.T) {
	t.Parallel()
	for _, p := range pasts {
		t.Run(p.name, func(t *testing.T) {
			dir, err := filepath.Abs(filepath.Join(formatBefore, p.name))
			require.NoError(t, err)
			if *recordWith != "" {
				p.record(t, *recordWith, dir)
			}
			t.Parallel()
			p.stays(t, dir)
		})
	}
}

// stays restores the past and checks the binary against it.
func (p past) stays(t *testing.T, dir string) {
	w := p.restore(t, dir)
	want, err := os.ReadFile(filepath.Join(dir, "status.txt"))
	require.NoError(t, err)
	before := w.scene(p.clusters)

	w.meanwhile = func() { w.requireSame(before, p.clusters, "the first start") } // fails at once, and says why
	w.start()
	w.says(string(want))
	commit := w.push("a word to the reader", map[string]string{"README.md": "Nothing that is rendered.\n"})
	w.eventually("a pass was made that knew all of it", func() error { return w.followsAll(commit) })
	w.stop()
	w.meanwhile()

	w.meanwhile = func() { w.requireSame(before, p.clusters, "the second start") }
	w.start()
	w.says(string(want))
	w.meanwhile()
	w.meanwhile = nil
	w.push("one request changes", p.change)
	for _, cluster := range p.reaches {
		w.eventually("the change is applied on "+cluster, func() error { return w.applied(string(want), cluster, p.request) })
	}
	w.stop()
	w.requireOnly(before, p)
}

// followsAll returns an error until every environment was reconciled with a platform commit.
func (w *world) followsAll(commit string) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	return follows(s, commit)
}

// restore makes repositories and clusters with the content of a directory of the fixture.
func (p past) restore(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), bin: binaries(t), flags: []string{"--interval", "1h"}}
	bundles, err := filepath.Glob(filepath.Join(dir, "*.bundle"))
	require.NoError(t, err)
	require.NotEmpty(t, bundles)
	for _, bundle := range bundles {
		repository := strings.TrimSuffix(filepath.Base(bundle), ".bundle") + ".git"
		w.git(w.dir, "init", "-q", "--bare", "-b", "main", repository)
		w.git(filepath.Join(w.dir, repository), "fetch", "-q", bundle, "main:main")
	}
	w.git(w.dir, "clone", "-q", "platform.git", "platform")
	w.fleet = startSandbox(t, w.bin, p.clusters, "--api-only")
	w.keys, w.data = filepath.Join(w.fleet, "kubeconfigs"), filepath.Join(w.dir, "data")
	for _, cluster := range p.clusters {
		w.load(cluster, filepath.Join(dir, cluster+".json.gz"))
	}
	return w
}

// load puts the objects of a file into a cluster's etcd as they were: with UIDs, managed fields and status, which no API
// server would accept. Only resourceVersions are new.
//
// API servers read JSON and write protobuf. So a write that changes nothing, which they would drop, shows here, too: as a new
// resourceVersion.
func (w *world) load(cluster, file string) {
	w.t.Helper()
	f, err := os.Open(file)
	require.NoError(w.t, err)
	defer func() { _ = f.Close() }()
	zip, err := gzip.NewReader(f)
	require.NoError(w.t, err)
	store, kinds := w.etcd(cluster), []string(nil)
	lines := bufio.NewScanner(zip)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s saved
		require.NoError(w.t, json.Unmarshal(lines.Bytes(), &s))
		store.write(s.Key, s.Object)
		if strings.HasPrefix(s.Key, "/apiextensions.k8s.io/customresourcedefinitions/") {
			kinds = append(kinds, served(w.t, s.Object)...)
		}
	}
	require.NoError(w.t, lines.Err())
	client := w.client(cluster).(*kubernetes.Clientset).RESTClient()
	for _, path := range kinds {
		w.eventually(path+" is served", func() error {
			return client.Get().AbsPath(path).Do(context.WithoutCancel(w.t.Context())).Error()
		})
	}
}

// served are the paths at which a CRD's objects are listed.
func served(t testing.TB, crd []byte) (paths []string) {
	t.Helper()
	var is struct {
		Spec struct {
			Group    string
			Names    struct{ Plural string }
			Versions []struct{ Name string }
		}
	}
	require.NoError(t, json.Unmarshal(crd, &is))
	for _, version := range is.Spec.Versions {
		paths = append(paths, fmt.Sprintf("/apis/%s/%s/%s", is.Spec.Group, version.Name, is.Spec.Names.Plural))
	}
	return paths
}

// says waits until status says the same of everything as the binary of the format before did.
func (w *world) says(want string) {
	w.t.Helper()
	w.eventually("status says what it said before", func() error {
		is := w.outcome()
		var differences []string
		for _, lines := range [][3]string{{"- ", want, is}, {"+ ", is, want}} {
			for line := range strings.Lines(lines[1]) {
				if !strings.Contains(lines[2], line) {
					differences = append(differences, lines[0]+line)
				}
			}
		}
		if len(differences) > 0 {
			return fmt.Errorf("%d lines differ:\n%s", len(differences), strings.Join(differences[:min(20, len(differences))], ""))
		}
		return nil
	})
}

// requireSame requires that nothing was committed and nothing written since a scene.
func (w *world) requireSame(before scene, clusters []string, after string) {
	w.t.Helper()
	now := w.scene(clusters)
	for repository, head := range before.Commits {
		if now.Commits[repository] != head {
			require.FailNow(w.t, after+" committed to "+repository, w.git(filepath.Join(w.dir, repository), "log", "--stat", "-p", "-1", "main"))
		}
	}
	for _, cluster := range clusters {
		written := changed(before.Objects[cluster], now.Objects[cluster])
		require.Empty(w.t, written, "%s wrote on %s: %s", after, cluster, w.difference(before, now, cluster, written))
	}
}

// difference tells how the first object differs.
func (w *world) difference(before, now scene, cluster string, keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("%s was\n%s\nand is\n%s", keys[0], before.Objects[cluster][keys[0]].Value, now.Objects[cluster][keys[0]].Value)
}

// changed are the keys that were written to, made or deleted.
func changed(before, now map[string]stored) (keys []string) {
	all := maps.Clone(before)
	maps.Copy(all, now)
	for key := range all {
		if before[key].Revision != now[key].Revision {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// owns reports whether an object is one of a request's, or the record of it or of the whole environment.
func owns(request, key string) bool {
	team, name, _ := strings.Cut(request, "/")
	record, found := strings.CutPrefix(key, "/configmaps/transom-system/")
	return strings.Contains(key, "/"+team+"/"+name+"-") || found && (strings.HasSuffix(record, "."+team+"."+name) || !strings.Contains(record, "."))
}

// applied returns an error until a request is applied on a cluster in a revision that status did not have
// before. A Problem on the way ends the test.
func (w *world) applied(before, cluster, request string) error {
	s, err := w.status()
	for _, in := range s.Instances {
		for _, p := range in.Placements {
			if in.Request.String() != request || p.Cluster != cluster {
				continue
			}
			require.Empty(w.t, p.Problems, "%s on %s", request, cluster)
			if strings.Contains(before, p.Revision) || p.Stage != status.Applied && p.Stage != status.Healthy {
				return fmt.Errorf("so far %+v", p)
			}
			return nil
		}
	}
	return cmp.Or(err, errors.New("there is no such placement"))
}

// requireOnly requires that a change of one request has changed that request and nothing else, where it was to come.
func (w *world) requireOnly(before scene, p past) {
	w.t.Helper()
	now := w.scene(p.clusters)
	for repository, head := range before.Commits {
		for _, file := range strings.Fields(w.git(filepath.Join(w.dir, repository), "log", "--name-only", "--format=", head+"..main")) {
			ours := strings.HasPrefix(file, "clusters/") && strings.HasSuffix(file, "/"+p.request+".yaml")
			require.True(w.t, ours || file == "releases/"+p.request+".yaml" || file == "fleet.yaml", "%s has a commit of %s", repository, file)
		}
	}
	for _, cluster := range p.clusters {
		written := changed(before.Objects[cluster], now.Objects[cluster])
		for _, key := range written {
			require.True(w.t, owns(p.request, key), "%s was written on %s: %s", key, cluster, w.difference(before, now, cluster, []string{key}))
		}
		require.Equal(w.t, slices.Contains(p.reaches, cluster), len(written) > 0, "%s has %q", cluster, written)
	}
}
