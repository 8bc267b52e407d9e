package e2e_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/platform"
)

// saved is a line of a fixture's CLUSTER.json.gz: an object as etcd had it, under the key that it had there.
type saved struct {
	Key    string          `json:"key"`
	Object json.RawMessage `json:"object"`
}

const systemKey = "/namespaces/kube-system" // its UID is the cluster's identity

// quiet is for how long nothing may change before the state is taken for the end.
const quiet = 10 * time.Second

// record lives a platform's past with a binary, on whole clusters, and writes down everything that came of it.
func (p past) record(t *testing.T, transom, dir string) {
	bin := t.TempDir()
	for name, target := range map[string]string{"transom": transom, "sandbox": filepath.Join(binaries(t), "sandbox")} {
		require.NoError(t, os.Symlink(target, filepath.Join(bin, name)))
	}
	l := &ladder{world: newWorldFrom(t, p.platform(t), p.clusters)}
	l.bin = bin
	before := map[string]map[string]stored{}
	for _, cluster := range p.clusters {
		before[cluster] = l.etcd(cluster).read()
	}
	p.live(l)
	l.soaks(p.clusters, p.soak)
	l.rests(p.clusters)
	said := l.outcome()
	require.NotContains(t, said, "Unknown")
	l.stop()

	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "status.txt"), []byte(said), 0o644))
	repositories, err := filepath.Glob(filepath.Join(l.dir, "*.git"))
	require.NoError(t, err)
	for _, repository := range repositories {
		name := strings.TrimSuffix(filepath.Base(repository), ".git")
		l.git(repository, "gc", "-q", "--aggressive", "--prune=now")
		l.git(repository, "bundle", "create", "-q", filepath.Join(dir, name+".bundle"), "main")
	}
	for _, cluster := range p.clusters {
		l.etcd(cluster).save(before[cluster], filepath.Join(dir, cluster+".json.gz"))
	}
}

// save writes the objects that are not in before, and those that a cluster is known by, to a file.
func (e etcd) save(before map[string]stored, file string) {
	e.t.Helper()
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	require.NoError(e.t, err)
	objects := e.objects()
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if _, there := before[key]; there && key != systemKey {
			continue
		}
		line, err := json.Marshal(saved{key, toJSON(e.t, objects[key].Value)})
		require.NoError(e.t, err)
		_, err = fmt.Fprintf(zip, "%s\n", line)
		require.NoError(e.t, err)
	}
	require.NoError(e.t, zip.Close())
	require.NoError(e.t, os.WriteFile(file, out.Bytes(), 0o644))
}

// scene is the state, the objects and the status that a daemon must not change when nobody asks for it.
type scene struct {
	Commits map[string]string            // heads, by state repository
	Objects map[string]map[string]stored // by cluster and key
}

func (w *world) scene(clusters []string) scene {
	w.t.Helper()
	s := scene{Commits: map[string]string{}, Objects: map[string]map[string]stored{}}
	repositories, err := filepath.Glob(filepath.Join(w.dir, "state-*.git"))
	require.NoError(w.t, err)
	for _, repository := range repositories {
		s.Commits[filepath.Base(repository)] = w.git(repository, "rev-parse", "main")
	}
	for _, cluster := range clusters {
		s.Objects[cluster] = w.etcd(cluster).objects()
	}
	return s
}

// soaks waits until every inventory remembers that its instance soaked for as long as anybody asks for. Else a daemon that
// happens to look twice would still write its observation. A new kubeconfig makes it look.
func (w *world) soaks(clusters []string, soak time.Duration) {
	w.t.Helper()
	looked := map[string]time.Time{}
	w.eventually("everything has soaked", func() error {
		for _, cluster := range clusters {
			young := w.young(cluster, soak)
			if len(young) == 0 {
				continue
			}
			if time.Since(looked[cluster]) > 2*soak {
				looked[cluster] = time.Now()
				file := filepath.Join(w.keys, cluster+".kubeconfig")
				content, err := os.ReadFile(file)
				require.NoError(w.t, err)
				require.NoError(w.t, os.WriteFile(file+".new", append(content, '\n'), 0o600))
				require.NoError(w.t, os.Rename(file+".new", file))
			}
			return fmt.Errorf("not on %s: %q", cluster, young)
		}
		return nil
	})
}

// young are the inventories of a cluster that remember less than a soak.
func (w *world) young(cluster string, soak time.Duration) (names []string) {
	w.t.Helper()
	list, err := w.client(cluster).CoreV1().ConfigMaps("transom-system").List(w.t.Context(), metav1.ListOptions{})
	require.NoError(w.t, err)
	for _, inventory := range list.Items {
		_, figure, _ := strings.Cut(inventory.Annotations["transom.dev/soaked"], " ")
		if soaked, err := time.ParseDuration(figure); err != nil || soaked < soak {
			names = append(names, inventory.Name)
		}
	}
	return names
}

// rests waits until nothing changes any more.
func (w *world) rests(clusters []string) {
	w.t.Helper()
	is, since, last := w.scene(clusters), time.Now(), ""
	w.eventually("nothing changes any more", func() error {
		if now := w.scene(clusters); !reflect.DeepEqual(is, now) {
			last = ""
			for _, cluster := range clusters {
				last += fmt.Sprintf(" %s: %q", cluster, changed(is.Objects[cluster], now.Objects[cluster]))
			}
			is, since = now, time.Now()
		}
		if time.Since(since) < quiet {
			return fmt.Errorf("the last change was at %s:%s", since, last)
		}
		return nil
	})
}

// outcome is the status in the end: a line for each placement, gate, rejection and Problem. It has no causes and no
// Warnings: they may be told better, and there may be more of them, one day.
func (w *world) outcome() string {
	w.t.Helper()
	s, err := w.status()
	require.NoError(w.t, err)
	lines := problemLines("platform", s.Platform.Problems)
	for _, e := range s.Environments {
		lines = append(lines, problemLines(e.Name, e.Problems)...)
		if e.Frozen+e.Error != "" {
			lines = append(lines, fmt.Sprintf("%s: %s %s", e.Name, e.Frozen, e.Error))
		}
	}
	for _, in := range s.Instances {
		name := in.Environment + " " + in.Request.String()
		for _, p := range in.Placements {
			lines = append(lines, fmt.Sprintf("%s %s: %s %s, version %s, %s", name, p.Cluster, p.Stage, p.Health,
				cmp.Or(p.Version, in.Version), p.Revision))
			for _, problem := range p.Problems {
				lines = append(lines, fmt.Sprintf("%s %s: %s: %s", name, p.Cluster, problem.Object, problem.Message))
			}
		}
		for _, gate := range in.Waiting {
			lines = append(lines, fmt.Sprintf("%s: waits at the gate %s", name, gate.Name))
		}
		for _, failure := range in.Rejected {
			lines = append(lines, fmt.Sprintf("%s: rejected after it failed on %s", name, failure.Cluster))
		}
		lines = append(lines, problemLines(name, in.Problems)...)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func problemLines(of string, problems []platform.Problem) (lines []string) {
	for _, p := range problems {
		if !p.Warning {
			lines = append(lines, fmt.Sprintf("%s: %s", of, p))
		}
	}
	return lines
}
