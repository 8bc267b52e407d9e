package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

// forge pushes a commit to dev's state that says it is Transom's: with the committer and the message of the head, another
// colour in a request's manifest, and its sum in the Release file.
func (w *world) forge(name, from, to string) (commit string) {
	w.t.Helper()
	w.eventually("the forged commit is pushed", func() (err error) { // the daemon may be faster
		commit, err = w.tryToForge(name, from, to)
		return err
	})
	return commit
}

func (w *world) tryToForge(name, from, to string) (commit string, err error) {
	w.t.Helper()
	work := filepath.Join(w.t.TempDir(), "state")
	w.git(w.dir, "clone", "-q", "state-dev.git", work)
	manifest, record := filepath.Join(work, "clusters/one/payments", name+".yaml"), filepath.Join(work, "releases/payments", name+".yaml")
	before, err := os.ReadFile(manifest)
	require.NoError(w.t, err)
	after := strings.ReplaceAll(string(before), "color: "+from, "color: "+to)
	require.NotEqual(w.t, string(before), after)
	release, err := os.ReadFile(record)
	require.NoError(w.t, err)
	sum := func(content string) string {
		s := sha256.Sum256([]byte(content))
		return "sha256:" + hex.EncodeToString(s[:])
	}
	require.NoError(w.t, os.WriteFile(manifest, []byte(after), 0o644))
	require.NoError(w.t, os.WriteFile(record, []byte(strings.ReplaceAll(string(release), sum(string(before)), sum(after))), 0o644))
	w.git(work, "add", "-A")
	cmd := exec.Command("git", "commit", "-q", "-m", w.git(work, "log", "-1", "--format=%B"))
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Transom", "GIT_AUTHOR_EMAIL=transom@transom.dev",
		"GIT_COMMITTER_NAME=Transom", "GIT_COMMITTER_EMAIL=transom@transom.dev", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, string(out))
	push := exec.Command("git", "push", "-q", "origin", "HEAD:main")
	push.Dir = work
	return w.git(work, "rev-parse", "HEAD"), push.Run()
}

// holds returns an error until status says of a request in dev that a state commit is held back.
func (w *world) holds(name, commit string) error {
	return w.shows("dev", name, func(p status.Placement) bool { return strings.Contains(p.Withheld, commit) })
}

// TestForgedStateIsNotApplied, without a key and with one, by the daemon that runs and by one that starts on it.
func TestForgedStateIsNotApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	forged := w.forge("shop", "green", "evil")
	w.eventually("the forged commit is held back", func() error { return w.holds("shop", forged) })
	require.Contains(t, w.said("state held back"), forged)
	require.NoError(t, w.color("one", "payments", "shop", "green"))
	w.kill()

	// After a restart it still is, and nobody else waits. The objects on the cluster are at rest all the while.
	w.start()
	w.eventually("it still is", func() error { return w.holds("shop", forged) })
	w.push("another", map[string]string{"requests/payments/cart.yaml": request("cart", "red")})
	w.live("cart", "red")
	require.NoError(t, w.color("one", "payments", "shop", "green"))
	require.NoError(t, w.holds("shop", forged))
	out, _ := w.ask("status", "payments/shop")
	require.Contains(t, out, "held back: clusters/one/payments/shop.yaml in state commit "+forged)

	// A change of the request is rendered, and needs no decision. A person may decide all the same.
	w.push("blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.live("shop", "blue")
	meant := w.forge("shop", "blue", "meant")
	w.eventually("this one is held back, too", func() error { return w.holds("shop", meant) })
	w.push("it is meant", decide("Approval", "dev", "state", "state: "+meant))
	w.eventually("it is applied", func() error { return w.color("one", "payments", "shop", "meant") })
	w.push("green", map[string]string{"requests/payments/shop.yaml": request("shop", "green")})
	w.live("shop", "green")
	w.stop()
	w.signed()
}

// signed goes on with the world where commits are signed.
func (w *world) signed() {
	t := w.t
	key := filepath.Join(t.TempDir(), "key")
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput()
	require.NoError(t, err, string(out))
	dev, prod := filepath.Join(w.dir, "state-dev.git"), filepath.Join(w.dir, "state-prod.git")
	before := w.git(dev, "rev-parse", "main")
	w.flags = []string{"--state-key", key}
	w.start()
	w.eventually("the unsigned branch is refused", func() error { return w.environmentSays("dev", "--trust-state "+before) })
	require.Equal(t, before, w.git(dev, "rev-parse", "main"))
	w.stop()

	w.flags = append(w.flags, "--trust-state", before, "--trust-state", w.git(prod, "rev-parse", "main"))
	w.start()
	w.push("red", map[string]string{"requests/payments/shop.yaml": request("shop", "red")})
	w.live("shop", "red")
	w.stop()
	w.flags = w.flags[:2]
	tree := w.git(dev, "rev-parse", "main^{tree}")
	forged := w.forge("shop", "red", "evil")
	w.start()
	w.eventually("what was signed is restored from Git", func() error {
		if now := w.git(dev, "rev-parse", "main^{tree}"); now != tree {
			return fmt.Errorf("the tree is %s, not %s", now, tree)
		}
		return nil
	})
	require.NotEqual(t, forged, w.git(dev, "rev-parse", "main"))
	w.live("shop", "red")
	require.NotContains(t, w.said("evil"), "configured")
	w.stop()
	w.settled(map[string]string{"shop": "red", "cart": "red"})
}
