package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var bothClusters = []string{"one", "two"}

// live waits until a request has a colour on both clusters.
func (w *world) live(name, want string) {
	w.t.Helper()
	for _, cluster := range bothClusters {
		w.eventually(fmt.Sprintf("%s is %q on %s", name, want, cluster), func() error {
			return w.color(cluster, "payments", name, want)
		})
	}
}

// hook puts a script into a state repository and returns a function that takes it away again.
func (w *world) hook(repository, name, script string) (remove func()) {
	w.t.Helper()
	file := filepath.Join(w.dir, repository, "hooks", name)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(w.t, os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o755))
	return func() { require.NoError(w.t, os.Remove(file)) }
}

// settled requires the conditions of rest: state equals a fresh render of the platform, the clusters have the objects of
// state and nothing else of ours, the repositories are sound and no commit is empty.
func (w *world) settled(requests map[string]string) {
	t := w.t
	t.Helper()
	out := t.TempDir()
	render := exec.Command(filepath.Join(w.bin, "transom"), "render", w.clone(), "--out", out)
	text, err := render.CombinedOutput()
	require.NoError(t, err, string(text))
	for cluster, environment := range map[string]string{"one": "dev", "two": "prod"} {
		repository := filepath.Join(w.dir, "state-"+environment+".git")
		checkout := filepath.Join(t.TempDir(), environment)
		w.git(w.dir, "clone", "-q", repository, checkout)
		diff := exec.Command("diff", "-r", filepath.Join(out, environment, "clusters"), filepath.Join(checkout, "clusters"))
		text, err := diff.CombinedOutput()
		require.NoError(t, err, "%s differs from a fresh render: %s", environment, text)

		var names []string
		list, err := w.client(cluster).CoreV1().ConfigMaps("payments").List(t.Context(),
			metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=transom"})
		require.NoError(t, err)
		for _, object := range list.Items {
			names = append(names, strings.TrimSuffix(object.Name, "-settings")+"="+object.Data["color"])
		}
		var want []string
		for name, color := range requests {
			want = append(want, name+"="+color)
		}
		require.ElementsMatch(t, want, names, "what %s holds", cluster)

		w.git(repository, "fsck", "--strict")
		trees := strings.Fields(w.git(repository, "log", "--format=%T", "main"))
		for i := 1; i < len(trees); i++ {
			require.NotEqual(t, trees[i-1], trees[i], "a commit of %s that changes nothing", environment)
		}
	}
}

// TestKilledAnywhereTheSameEnd is invariant 5.
func TestKilledAnywhereTheSameEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	random := rand.New(rand.NewPCG(1, 2))
	requests := map[string]string{"shop": "green"}
	for round := range 50 {
		w.start()
		files := map[string]string{}
		for i := range 3 {
			name := fmt.Sprintf("r%d", (round+i)%7)
			if _, there := requests[name]; there && i == 0 {
				files["requests/payments/"+name+".yaml"] = ""
				delete(requests, name)
				continue
			}
			requests[name] = fmt.Sprintf("c%d", round)
			files["requests/payments/"+name+".yaml"] = request(name, requests[name])
		}
		w.push(fmt.Sprintf("round %d", round), files)
		<-time.After(time.Duration(random.IntN(400)) * time.Millisecond) // the kill comes at a random moment
		w.kill()
	}
	w.start()
	commit := w.git(w.clone(), "rev-parse", "HEAD")
	w.eventually("everything is healthy in the end", func() error { return w.healthy(commit, 2*len(requests)) })
	require.Empty(t, w.said("state held back"), "what the process before committed is proven by rendering it again")
	w.stop()
	w.settled(requests)
}

func TestLostDataDirectoryChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	w.eventually("the state says that it is healthy", func() error {
		if said := w.git(filepath.Join(w.dir, "state-prod.git"), "log", "-1", "--format=%s", "main"); !strings.Contains(said, "is healthy") {
			return errors.New(said)
		}
		return nil
	})
	w.stop()
	before := w.git(filepath.Join(w.dir, "state-prod.git"), "rev-parse", "main")
	require.NoError(t, os.RemoveAll(filepath.Join(w.dir, "data")))
	w.start()
	commit := w.git(w.clone(), "rev-parse", "HEAD")
	w.eventually("everything is healthy again", func() error { return w.healthy(commit, 2) })
	require.Equal(t, before, w.git(filepath.Join(w.dir, "state-prod.git"), "rev-parse", "main"))
	w.stop()
	w.settled(map[string]string{"shop": "green"})
}

// TestDeadClusterDelaysOnlyItself is invariant 6 for clusters.
func TestDeadClusterDelaysOnlyItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	w.sandbox("stop", "two")
	w.push("blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.eventually("the living cluster moves on", func() error { return w.color("one", "payments", "shop", "blue") })
	w.eventually("status says that the dead one is away", func() error {
		s, err := w.status()
		if err != nil {
			return err
		}
		for _, e := range s.Environments {
			for _, c := range e.Clusters {
				if c.Name == "two" && !c.Reachable && c.Message != "" {
					return nil
				}
			}
		}
		return errors.New("two counts as reachable")
	})
	w.push("red", map[string]string{"requests/payments/shop.yaml": request("shop", "red")})
	w.eventually("the living cluster moves on again", func() error { return w.color("one", "payments", "shop", "red") })
	w.sandbox("start", "two")
	w.live("shop", "red")
	w.stop()
	w.settled(map[string]string{"shop": "red"})
}

func (w *world) sandbox(verb, cluster string) {
	w.t.Helper()
	out, err := exec.Command(filepath.Join(w.bin, "sandbox"), verb, cluster, "--dir", w.fleet).CombinedOutput()
	require.NoError(w.t, err, string(out))
}

func TestRejectedStatePushDelaysOnlyItsEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	remove := w.hook("state-prod.git", "pre-receive", "echo change freeze until monday >&2\nexit 1\n")
	w.push("blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.eventually("dev moves on", func() error { return w.color("one", "payments", "shop", "blue") })
	w.eventually("status carries the hook's words", func() error { return w.environmentSays("prod", "change freeze until monday") })
	require.NoError(t, w.color("two", "payments", "shop", "green"), "what is not committed is not applied")
	remove()
	w.live("shop", "blue")
	w.stop()
	w.settled(map[string]string{"shop": "blue"})
}

// environmentSays returns an error unless an environment's error or freeze contains text.
func (w *world) environmentSays(name, text string) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	for _, e := range s.Environments {
		if e.Name == name && strings.Contains(e.Error+e.Frozen, text) {
			return nil
		}
	}
	return fmt.Errorf("no %q in %+v", text, s.Environments)
}

func TestRacedAndForeignStateCommitsAreHealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	// The first push finds that somebody else was faster; their commit is not ours.
	remove := w.hook("state-dev.git", "pre-receive", `
test -e raced && exit 0
touch raced
unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@x.example GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@x.example
blob=$(echo evil | git hash-object -w --stdin)
export GIT_INDEX_FILE=raced.index
git read-tree main
git update-index --add --cacheinfo 100644,$blob,clusters/one/payments/shop.yaml
git update-index --add --cacheinfo 100644,$blob,README
git update-ref refs/heads/main $(git commit-tree -p main -m theirs $(git write-tree))
`)
	w.push("blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.live("shop", "blue")
	remove()
	require.Contains(t, w.git(filepath.Join(w.dir, "state-dev.git"), "log", "--format=%s"), "theirs", "history is kept")
	require.Equal(t, "evil", w.git(filepath.Join(w.dir, "state-dev.git"), "show", "main:README"), "other files are theirs")
	w.stop()
	w.settled(map[string]string{"shop": "blue"})
}

func TestStatePushWithLostAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	remove := w.hook("state-dev.git", "post-receive", "kill -9 $PPID\n")
	w.push("blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.live("shop", "blue")
	remove()
	w.push("red", map[string]string{"requests/payments/shop.yaml": request("shop", "red")})
	w.live("shop", "red")
	w.stop()
	w.settled(map[string]string{"shop": "red"})
}

func TestRewoundPlatformFreezesAndDeletesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	accepted := w.push("second", map[string]string{"requests/payments/second.yaml": request("second", "blue")})
	w.live("second", "blue")
	w.git(w.clone(), "reset", "-q", "--hard", "HEAD~1")
	w.git(w.clone(), "commit", "-q", "--allow-empty", "-m", "another history")
	w.git(w.clone(), "push", "-q", "--force", "origin", "HEAD:main")
	for _, environment := range []string{"dev", "prod"} {
		w.eventually("status says that it is frozen, and what to do", func() error {
			return w.environmentSays(environment, "spec {platform: "+accepted+"}")
		})
	}
	for _, cluster := range bothClusters {
		require.NoError(t, w.color(cluster, "payments", "second", "blue"), "nothing is deleted")
	}
	w.push("abandon", decide("Approval", "dev", "abandon", "platform: "+accepted).
		merged(decide("Approval", "prod", "abandon", "platform: "+accepted)))
	w.live("second", "")
	w.push("the approval was used", map[string]string{"decisions/dev/abandon.yaml": "", "decisions/prod/abandon.yaml": ""})
	w.push("third", map[string]string{"requests/payments/third.yaml": request("third", "red")})
	w.live("third", "red")
	w.stop()
	w.settled(map[string]string{"shop": "green", "third": "red"})
}

// TestBadRequestDelaysOnlyItself is invariant 6 for files.
func TestBadRequestDelaysOnlyItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	w.push("one bad, one good", map[string]string{
		"requests/payments/shop.yaml":  "spec: [this is no request",
		"requests/payments/other.yaml": request("other", "blue"),
	})
	w.live("other", "blue")
	w.live("shop", "green")
	w.eventually("status names the file and line", func() error {
		s, err := w.status()
		if err != nil {
			return err
		}
		for _, in := range s.Instances {
			if in.Request.Name == "shop" && len(in.Problems) > 0 && in.Problems[0].File == "requests/payments/shop.yaml" {
				return nil
			}
		}
		return fmt.Errorf("no Problem on shop: %+v", s.Platform.Problems)
	})
	w.push("mended", map[string]string{"requests/payments/shop.yaml": request("shop", "red")})
	w.live("shop", "red")
	w.stop()
	w.settled(map[string]string{"shop": "red", "other": "blue"})
}

func TestHandMadeChangesAreUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	maps := w.client("one").CoreV1().ConfigMaps("payments")
	require.NoError(t, maps.Delete(t.Context(), "shop-settings", metav1.DeleteOptions{}))
	w.eventually("the object is back", func() error { return w.color("one", "payments", "shop", "green") })

	object, err := maps.Get(t.Context(), "shop-settings", metav1.GetOptions{})
	require.NoError(t, err)
	object.Data["color"] = "pink"
	_, err = maps.Update(t.Context(), object, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	w.eventually("the field is back", func() error { return w.color("one", "payments", "shop", "green") })
	w.stop()
}

// TestKubeconfigsMayComeAndChange begins with a mounted Secret that lacks a cluster, adds it, and then rotates the other
// one's to a token that does not work and back, as Kubernetes switches a mounted Secret: all files at once, by a link. The token
// that does not work costs nothing: the connection of before goes on.
func TestKubeconfigsMayComeAndChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	issued := w.keys
	w.keys = t.TempDir()
	mount := func(name string, files map[string]string) {
		dir := filepath.Join(w.keys, name)
		require.NoError(t, os.Mkdir(dir, 0o755))
		for file, content := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
			link := filepath.Join(w.keys, file)
			if _, err := os.Lstat(link); err != nil {
				require.NoError(t, os.Symlink(filepath.Join("..data", file), link))
			}
		}
		require.NoError(t, os.Symlink(name, filepath.Join(w.keys, "..tmp")))
		require.NoError(t, os.Rename(filepath.Join(w.keys, "..tmp"), filepath.Join(w.keys, "..data")))
	}
	key := func(cluster string) string {
		data, err := os.ReadFile(filepath.Join(issued, cluster+".kubeconfig"))
		require.NoError(t, err)
		return string(data)
	}
	one, two := key("one"), key("two")
	mount("..first", map[string]string{"one.kubeconfig": one})
	w.start()
	w.eventually("the known cluster is served", func() error { return w.color("one", "payments", "shop", "green") })
	w.eventually("status says which file is missing", func() error { return w.clusterSays("two", "two.kubeconfig") })
	mount("..second", map[string]string{"one.kubeconfig": one, "two.kubeconfig": two})
	w.eventually("the added cluster is served", func() error { return w.color("two", "payments", "shop", "green") })

	revoked := strings.Replace(one, "token: ", "token: revoked", 1)
	require.NotEqual(t, one, revoked)
	mount("..third", map[string]string{"one.kubeconfig": revoked, "two.kubeconfig": two})
	w.eventually("status says that the token is refused", func() error { return w.clusterSays("one", "nauthorized") })
	w.push("blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.live("shop", "blue")
	mount("..fourth", map[string]string{"one.kubeconfig": one, "two.kubeconfig": two})
	w.eventually("status says that all is well", func() error { return w.warned("one", "") })
	w.stop()
}

// warned returns an error unless status warns of this about a cluster that is reachable.
func (w *world) warned(cluster, warning string) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	for _, e := range s.Environments {
		for _, c := range e.Clusters {
			told := c.Credential.Warning
			if as := strings.Contains(told, warning) && (told == "") == (warning == ""); as && c.Name == cluster && c.Reachable {
				return nil
			}
		}
	}
	return fmt.Errorf("cluster %s: no warning %q in %+v", cluster, warning, s.Environments)
}

// clusterSays returns an error unless the status of a cluster contains text.
func (w *world) clusterSays(cluster, text string) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	for _, e := range s.Environments {
		for _, c := range e.Clusters {
			if c.Name == cluster && strings.Contains(c.Message+c.Credential.Warning, text) {
				return nil
			}
		}
	}
	return fmt.Errorf("no %q in %+v", text, s.Environments)
}
