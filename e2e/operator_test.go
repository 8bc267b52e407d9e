package e2e_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"transom.dev/reconciler/web/access"
)

// plainBlocks are the blocks of a page that are not marked, by the heading that they are under.
func plainBlocks(t testing.TB, page string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "cmd", "transom", "docs", page+".md"))
	require.NoError(t, err)
	blocks := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, content, _ := strings.Cut(section, "\n")
		for _, b := range regexp.MustCompile("(?m)^```(\\w*)\n((?:[^`].*\n|\n)*)```").FindAllStringSubmatch(content, -1) {
			if b[1] == "" {
				blocks[heading] += b[2]
			}
		}
	}
	return blocks
}

// A reading is a plain block of the operator's page that somebody follows in a directory, which may have the file kubeconfig.
type reading struct {
	heading string
	dir     string
	first   string            // a further line at the beginning
	last    string            // and at the end
	stands  map[string]string // what stands for something that the page cannot know, by its text
	trusts  string            // a file with certificates
}

// follows runs the lines of a block as they are written, and returns all that they print. A daemon that a line starts with flags that the
// page leaves out (…) is one of the world; later lines wait for it.
func (w *world) follows(r reading) string {
	w.t.Helper()
	script, found := plainBlocks(w.t, "operator")[r.heading]
	require.True(w.t, found, r.heading)
	listen := freeAddress(w.t)
	server := "http://" + listen
	if strings.Contains(script, "--tls-cert") {
		server = "https://" + listen
	}
	script = r.first + script
	for text, by := range r.stands {
		require.Contains(w.t, script, text)
		script = strings.ReplaceAll(script, text, by)
	}
	script = regexp.MustCompile(`https://transom\.acme\.example(:\d+)?`).ReplaceAllString(script, server)
	script = regexp.MustCompile(`(?m)^(transom serve .*)…$`).ReplaceAllString(script,
		"$1 &\ncurl -fsSk --retry 100 --retry-delay 1 --retry-all-errors "+server+"/readyz\n")
	require.NotContains(w.t, script, "…")
	shim := strings.NewReplacer("LISTEN", listen, "TRANSOM", filepath.Join(w.bin, "transom"), "PLATFORM", filepath.Join(w.dir, "platform.git"), "KEYS", w.keys).Replace(`#!/bin/bash
[ "$1" = serve ] || exec TRANSOM "$@"
args=()
for a in "$@"; do args+=("${a/#:7460/LISTEN}"); done
case " $* " in *" --listen "*) ;; *) args+=(--listen LISTEN);; esac
exec TRANSOM "${args[@]}" --platform PLATFORM --kubeconfigs KEYS --data data
`)
	require.NoError(w.t, os.MkdirAll(filepath.Join(r.dir, "bin"), 0o755))
	require.NoError(w.t, os.WriteFile(filepath.Join(r.dir, "bin", "transom"), []byte(shim), 0o755))
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n"+script+"\n"+r.last)
	cmd.Dir, cmd.WaitDelay = r.dir, 20*time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"), "NO_COLOR=1", "TRANSOM_SERVER="+server, "SSL_CERT_FILE="+r.trusts,
		"KUBECONFIG="+filepath.Join(r.dir, "kubeconfig"))
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, "%s: %s", r.heading, out)
	return string(out)
}

// TestPlainBlocksOfTheOperatorsPageCanBeFollowed: those that need a daemon, and no party beyond this machine. The calls of transom in all
// others are parsed by TestCommandsOfPagesAreThere.
func TestPlainBlocksOfTheOperatorsPageCanBeFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.follows(reading{heading: "Who may push to a state branch", dir: t.TempDir()})
	require.Contains(t, w.git(w.dir, "-C", "state-dev.git", "cat-file", "commit", "main"), "BEGIN SSH SIGNATURE")

	said := w.follows(reading{heading: "Hearing of a push", dir: t.TempDir(), last: `curl -fsS "$TRANSOM_SERVER/metrics"`})
	require.Contains(t, said, `transom_hook_calls_total{outcome="accepted"} 1`)

	w.follows(reading{heading: "What checks may ask", dir: t.TempDir()})

	dir := t.TempDir()
	certificate, key := selfSigned(t)
	token, digest := access.NewToken()
	for file, content := range map[string]string{
		"tls.crt": string(certificate), "tls.key": string(key), "access.yaml": "tokens: [{name: pipeline, role: developer, team: payments, sha256: " + digest + "}]\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
	}
	said = w.follows(reading{heading: "Who may ask", dir: dir, stands: map[string]string{"transom_…": token}, trusts: filepath.Join(dir, "tls.crt")})
	require.Contains(t, said, "payments/shop")
}

// TestBlocksThatNeedAnAPICanBeFollowed: the daemon's, a cluster's, GitHub's page with its key, and a registry.
func TestBlocksThatNeedAnAPICanBeFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	daemon := "transom serve …\n"
	next := map[string]string{}
	for _, file := range []string{"version.yaml", "kustomization.yaml", "configmap.yaml"} {
		content, err := os.ReadFile(filepath.Join(w.clone(), "offerings", "settings", "1.0.0", file))
		require.NoError(t, err)
		next["offerings/settings/1.0.1/"+file] = strings.Replace(string(content), "color: none", "color: blank", 1)
	}
	w.push("a version to compare", next)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "requests", "payments"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "requests", "payments", "cart.yaml"), []byte(request("cart", "blue")), 0o600))
	said := w.follows(reading{heading: "The API", dir: dir, first: daemon, stands: map[string]string{
		"offerings/postgres/versions/1": "offerings/settings/versions/1.0.1",
		`v1/events"`:                    `v1/events" -m 1 || [ $? = 28 ]`, // which has no end
	}})
	require.Contains(t, said, `"color"`, "the parameters of a version")
	require.Contains(t, said, "color: blank", "a change")

	dir = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "kubeconfigs"), 0o700))
	require.NoError(t, os.CopyFS(filepath.Join(dir, "platform"), os.DirFS(w.clone())))
	w.hasContexts(dir, "two", "eu-1")
	said = w.follows(reading{heading: "Rights on clusters, and credentials", dir: dir, first: daemon})
	require.FileExists(t, filepath.Join(dir, "kubeconfigs", "prod-eu-1.kubeconfig"))
	require.FileExists(t, filepath.Join(dir, "platform", "clusters", "prod-eu-1.yaml"))
	require.Contains(t, said, "two")

	w.followsInstalling(t)
	w.followsSigned(t)
}

// hasContexts gives a reader a kubeconfig of a cluster under the names of contexts, of which the first is the current one.
func (w *world) hasContexts(dir, cluster string, names ...string) {
	w.t.Helper()
	config, err := clientcmd.LoadFromFile(filepath.Join(w.fleet, "kubeconfigs", cluster+".kubeconfig"))
	require.NoError(w.t, err)
	own := config.Contexts[config.CurrentContext]
	config.Contexts, config.CurrentContext = map[string]*clientcmdapi.Context{}, names[0]
	for _, name := range names {
		config.Contexts[name] = own
	}
	require.NoError(w.t, clientcmd.WriteToFile(*config, filepath.Join(dir, "kubeconfig")))
}

// followsInstalling pushes the image to a registry, and applies all that is printed, by a stand-in for kubectl, which a machine may not
// have. Then the daemon's token is in the Secret that the installed one reads.
func (w *world) followsInstalling(t *testing.T) {
	images := httptest.NewServer(registry.New(registry.Logger(discard)))
	t.Cleanup(images.Close)
	applied := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		manifests, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest) // with which the stand-in fails
			return
		}
		w.apply("one", string(manifests))
	}))
	t.Cleanup(applied.Close)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "platform"), os.DirFS(w.clone())))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	w.hasContexts(dir, "one", "hub", "prod")
	kubectl := `#!/bin/sh
case "$*" in
"apply -f -") exec curl -fsS --data-binary @- ` + applied.URL + ` ;;
"-n transom-daemon create secret generic credentials --from-file=git.yaml") ;;
*) echo "kubectl $*?" >&2; exit 1 ;;
esac
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "kubectl"), []byte(kubectl), 0o755))
	said := w.follows(reading{heading: "Installing it in a cluster", dir: dir, stands: map[string]string{
		"registry.example.com": strings.TrimPrefix(images.URL, "http://"), "make image": "make -s -C " + root + " image",
	}})
	installed, err := w.client("one").AppsV1().Deployments("transom-daemon").Get(t.Context(), "transom", metav1.GetOptions{})
	require.NoError(t, err)
	ref, err := name.ParseReference(installed.Spec.Template.Spec.Containers[0].Image)
	require.NoError(t, err)
	pushed, err := remote.Index(ref)
	require.NoError(t, err, "a node can pull it")
	digest, err := pushed.Digest()
	require.NoError(t, err)
	require.Contains(t, said, "pushed "+ref.Context().String()+"@"+digest.String())
	keys, err := w.client("one").CoreV1().Secrets("transom-kubeconfigs").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, keys.Items, 1)
	require.FileExists(t, filepath.Join(dir, "platform", "clusters", "prod-1.yaml"))
}

// followsSigned has the platform's newest commit signed by a person's key; the forge's is another one.
func (w *world) followsSigned(t *testing.T) {
	home, err := os.MkdirTemp("", "gpg") //nolint:usetesting // the path of its agent's socket has to be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	gpg := func(args ...string) []byte {
		out, err := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--quiet"}, args...)...).Output()
		require.NoError(t, err)
		return out
	}
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	for _, who := range []string{"release@acme.example", "forge@acme.example"} {
		gpg("--passphrase", "", "--quick-gen-key", who, "rsa2048", "sign", "never")
	}
	key := gpg("--armor", "--export", "forge@acme.example")
	github := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/web-flow.gpg" {
			_, _ = rw.Write(key)
		}
	}))
	t.Cleanup(github.Close)
	program := filepath.Join(home, "sign")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nexec gpg --homedir "+home+" \"$@\"\n"), 0o755))
	w.git(w.clone(), "-c", "gpg.program="+program, "-c", "user.signingKey=release@acme.example", "commit", "-S", "--allow-empty", "-qm", "begin")
	w.git(w.clone(), "push", "-q", "origin", "HEAD:main")
	said := w.follows(reading{heading: "Signed platform commits", dir: t.TempDir(), last: `curl -fsS "$TRANSOM_SERVER/metrics"`, stands: map[string]string{
		"https://github.com": github.URL, "gpg --armor": "gpg --homedir " + home + " --armor",
	}})
	require.Contains(t, said, "\ntransom_platform_frozen 0\n")
}
