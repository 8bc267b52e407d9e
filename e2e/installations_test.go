package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const manyInstances = 30

// many is a set of requests of one colour.
func many(prefix, color string) map[string]string {
	files := map[string]string{}
	for i := range manyInstances {
		name := fmt.Sprintf("%s-%d", prefix, i)
		files["requests/payments/"+name+".yaml"] = strings.Replace(request(name, color), ", prod: {}", "", 1)
	}
	return files
}

// another is a second installation with environments of the same names, on the same clusters.
func (w *world) another(files map[string]string) *world {
	w.t.Helper()
	source := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(settings)).Files {
		source[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	for name, content := range files {
		source[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return newWorldOn(w.t, w.fleet, source)
}

// mirrored is a copy of an installation: of its platform and of its states, with all their history.
func (w *world) mirrored() *world {
	w.t.Helper()
	m := &world{t: w.t, dir: w.t.TempDir(), bin: w.bin, fleet: w.fleet, keys: w.keys}
	m.data = filepath.Join(m.dir, "data")
	for _, name := range []string{"platform", "state-dev", "state-prod"} {
		m.git(m.dir, "clone", "-q", "--mirror", filepath.Join(w.dir, name+".git"), name+".git")
	}
	m.git(m.dir, "clone", "-q", "platform.git", "platform")
	return m
}

// held returns an error until status says that an environment is not written to a cluster, and why.
func (w *world) held(environment, cluster, why string) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	for _, e := range s.Environments {
		for _, c := range e.Clusters {
			if e.Name == environment && c.Name == cluster && strings.Contains(c.Problem, why) {
				return nil
			}
		}
	}
	return fmt.Errorf("%s is not held back on %s: %+v", environment, cluster, s.Environments)
}

// marks are the resourceVersions of all that an installation may write to a cluster.
func (w *world) marks(cluster string) map[string]string {
	w.t.Helper()
	client, marks := w.client(cluster), map[string]string{}
	for _, namespace := range []string{"payments", "transom-system"} {
		list, err := client.CoreV1().ConfigMaps(namespace).List(w.t.Context(), metav1.ListOptions{})
		require.NoError(w.t, err)
		for _, m := range list.Items {
			if m.Name != "kube-root-ca.crt" {
				marks[namespace+"/"+m.Name] = m.ResourceVersion
			}
		}
		ns, err := client.CoreV1().Namespaces().Get(w.t.Context(), namespace, metav1.GetOptions{})
		require.NoError(w.t, err)
		marks[namespace] = ns.ResourceVersion
	}
	return marks
}

// Two installations, and a copy of the first, on one cluster: only the first writes, and the others are told.
func TestOnlyOneInstallationWritesToACluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, []string{"one", "two"}, "--api-only")
	commit := w.push("many", many("mine", "green"))
	w.start()
	w.eventually("the first is healthy", func() error { return w.healthy(commit, manyInstances+2) })
	mirror := w.mirrored()
	before := map[string]map[string]string{"one": w.marks("one"), "two": w.marks("two")}
	const why = "which this state repository does not contain: another installation, or a backup"

	second := w.another(many("theirs", "red"))
	second.start()
	for cluster, environment := range map[string]string{"one": "dev", "two": "prod"} {
		second.eventually("the second is told", func() error { return second.held(environment, cluster, "cluster "+cluster+" was last written from") })
		second.eventually("the second is told why", func() error { return second.held(environment, cluster, why) })
		require.Equal(t, before[cluster], w.marks(cluster), "zero foreign writes")
	}
	require.Contains(t, second.said("was last written from"), `"level":"ERROR"`)

	// As long as they hold the same, a copy has nothing to write; then the first one goes on.
	mirror.start()
	mirror.eventually("the copy is healthy", func() error { return mirror.healthy(commit, manyInstances+2) })
	require.Equal(t, before["one"], w.marks("one"))
	w.push("shop: blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.eventually("the first goes on", func() error {
		return errors.Join(w.color("one", "payments", "shop", "blue"), w.color("two", "payments", "shop", "blue"))
	})
	after := w.marks("one")
	changed := maps.Clone(after)
	maps.DeleteFunc(changed, func(name, version string) bool { return before["one"][name] == version })
	require.Len(t, changed, 2, "one object, and whose it is: %v", changed)

	mirror.push("shop: yellow, and fewer", map[string]string{
		"requests/payments/shop.yaml": request("shop", "yellow"), "requests/payments/mine-1.yaml": "",
	})
	mirror.eventually("the copy holds back", func() error { return mirror.held("dev", "one", why) })
	second.push("shop: violet", map[string]string{"requests/payments/shop.yaml": request("shop", "violet"), "requests/payments/theirs-1.yaml": ""})
	second.eventually("the second commits", func() error {
		s, err := second.status()
		if err == nil {
			err = follows(s, second.git(second.clone(), "rev-parse", "HEAD"))
		}
		return err
	})
	require.Equal(t, after, w.marks("one"), "zero foreign writes")
	w.eventually("the first is as it was", func() error { return w.healthy(w.git(w.clone(), "rev-parse", "HEAD"), manyInstances+2) })

	// A person decides otherwise.
	fence, err := w.client("two").CoreV1().ConfigMaps("transom-system").Get(t.Context(), "prod", metav1.GetOptions{})
	require.NoError(t, err)
	_, named, _ := strings.Cut(fence.Annotations["transom.dev/state"], " ")
	second.push("take over prod", decide("Approval", "prod", "takeover", "takeover: "+named))
	second.eventually("the second has taken over", func() error { return second.color("two", "payments", "shop", "violet") })
	w.eventually("the first is told", func() error { return w.held("prod", "two", why) })
	require.NoError(t, w.color("one", "payments", "shop", "blue"))
	for _, each := range []*world{w, second, mirror} {
		each.stop()
	}
}

// Yesterday's state comes back, and an empty one, and one at another address: only the history decides.
func TestStateThatLostItsHistoryIsNotApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, []string{"one", "two"}, "--api-only")
	w.start()
	commit := w.git(w.clone(), "rev-parse", "HEAD")
	w.eventually("it is healthy", func() error { return w.healthy(commit, 2) })
	state := filepath.Join(w.dir, "state-dev.git")
	yesterday := w.git(state, "rev-parse", "main")
	commit = w.push("more", many("more", "green"))
	w.eventually("it is healthy", func() error { return w.healthy(commit, manyInstances+2) })
	w.stop()
	before, today := w.marks("one"), w.git(state, "rev-parse", "main")

	const why = "which this state repository does not contain"
	for name, change := range map[string][]string{"yesterday's": {"update-ref", "refs/heads/main", yesterday}, "an empty one": {"update-ref", "-d", "refs/heads/main"}} {
		w.git(state, change...)
		require.NoError(t, os.RemoveAll(w.data))
		w.start()
		w.eventually(name+" is held back", func() error { return w.held("dev", "one", why) })
		require.Equal(t, before, w.marks("one"), name)
		w.stop()
		w.git(state, "update-ref", "refs/heads/main", today)
	}

	moved := func(from, to string) {
		file := filepath.Join(w.clone(), "environments/dev.yaml")
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		w.push("move the state", map[string]string{"environments/dev.yaml": strings.Replace(string(content), "url: ../"+from, "url: ../"+to, 1)})
	}
	w.git(w.dir, "clone", "-q", "--mirror", "state-dev.git", "state-moved.git")
	moved("state-dev.git", "state-moved.git")
	w.start()
	w.eventually("it is healthy", func() error { return w.healthy(w.git(w.clone(), "rev-parse", "HEAD"), manyInstances+2) })
	w.push("shop: blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.eventually("it goes on where its history is", func() error { return w.color("one", "payments", "shop", "blue") })
	require.Equal(t, today, w.git(state, "rev-parse", "main"))
	w.stop()

	w.git(w.dir, "init", "-q", "--bare", "-b", "main", "state-fresh.git")
	moved("state-moved.git", "state-fresh.git")
	before = w.marks("one")
	w.start()
	w.eventually("an address without history is held back", func() error { return w.held("dev", "one", why) })
	require.Equal(t, before, w.marks("one"))
	w.stop()
}
