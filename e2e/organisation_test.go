package e2e_test

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"transom.dev/examples/install"
	"transom.dev/reconciler/web/access"
)

// asking is the client by which the daemon is asked.
func (w *world) asking() *http.Client { return cmp.Or(w.asker, http.DefaultClient) }

// A service passes connections on to the replicas that take them, by turns, as a Service of Kubernetes does.
type service struct {
	net.Listener
	mu       sync.Mutex
	replicas []string
	turn     int
}

func newService(t *testing.T) *service {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &service{Listener: listener}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.pass(conn)
		}
	}()
	return s
}

// add adds the replica that answers at an address.
func (s *service) add(at string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas = append(s.replicas, strings.TrimPrefix(at, "https://"))
}

func (s *service) pass(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	s.mu.Lock()
	all := s.replicas
	s.turn++
	turn := s.turn
	s.mu.Unlock()
	for i := range all {
		to, err := net.Dial("tcp", all[(turn+i)%len(all)])
		if err != nil {
			continue
		}
		go func() {
			_, _ = io.Copy(to, conn)
			_ = to.Close()
		}()
		_, _ = io.Copy(conn, to)
		return
	}
}

// bearer sends a token with each request.
type bearer struct {
	http.RoundTripper
	token string
}

// RoundTrip is part of http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.RoundTripper.RoundTrip(r)
}

// An organisation is an installation that people reach through its Service and log in to, with a forge that is told.
type organisation struct {
	*world
	image        image
	service      *service
	hub          *hub // the stand-in for GitHub
	repositories *proxy
	issuer       string
	trust        *http.Transport // whoever trusts the installation's certificate
}

// newOrganisation applies what "transom install" prints to two clusters, with its component for access, and the Secrets that it needs.
func newOrganisation(t *testing.T) *organisation {
	archive := strings.Replace(installedPlatform(), "gates: {soak: 1s}", "gates: {soak: 5s}", 1)
	o := &organisation{world: newWorld(t, archive, []string{"hub", "spoke"}), image: newImage(t), service: newService(t), hub: newHub(t)}
	o.push("no gear", map[string]string{"requests/payments/gear.yaml": ""})
	o.repositories = newProxy(o.world, "hub")
	o.api = "https://" + o.service.Addr().String()
	o.startIssuer()
	o.install(o.image, "hub", "--platform", o.repositories.URL+"/git/platform.git", "--image", "transom:test", "--own-cluster")
	o.install(o.image, "hub", "--rights", o.clone())
	o.install(o.image, "spoke", "--target")
	o.install(o.image, "spoke", "--target", "--rights", o.clone())
	certificate, key := selfSigned(t)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certificate))
	o.trust = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	token, digest := access.NewToken()
	o.asker = &http.Client{Transport: bearer{o.trust, token}}
	o.secret("hub", "credentials", map[string]string{
		"git.yaml": fmt.Sprintf("credentials: [{url: %q, token: none, caFile: ca.pem}]\n", o.repositories.URL), "ca.pem": string(o.repositories.certificate()),
		"forge.yaml":  fmt.Sprintf("{kind: github, api: %q, repository: acme/platform, token: secret}\n", o.hub.URL+"/api/v3"),
		"hook-secret": hookSecret + "\n",
	})
	o.secret("hub", "kubeconfigs", map[string]string{"spoke.kubeconfig": o.kubeconfigOf("spoke", o.token("spoke", "transom-system", "transom"))})
	o.secret("hub", "tls", map[string]string{"tls.crt": string(certificate), "tls.key": string(key)})
	o.secret("hub", "access", map[string]string{
		"client-secret": "orchard", "session-keys": base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32]) + "\n",
		"access.yaml": fmt.Sprintf("tokens: [{name: watcher, role: viewer, sha256: %s}]\nsession: {keyFile: session-keys}\noidc:\n  issuer: %s\n  clientID: transom\n"+
			"  clientSecretFile: client-secret\n  url: %s\n  scopes: [groups]\n  roles:\n  - {group: platform, role: operator}\n"+
			"  - {group: payments, role: developer, team: payments}\n"+
			"kubernetes:\n  audience: transom\n  roles: [{user: 'system:serviceaccount:default:pipeline', role: developer, team: search}]\n", digest, o.issuer, o.api),
	})
	o.create("hub", "access/tokenreview.yaml")
	component, err := fs.ReadFile(install.Files, "access/deployment.yaml")
	require.NoError(t, err)
	patch, err := yaml.YAMLToJSON(component)
	require.NoError(t, err)
	o.patch(types.StrategicMergePatchType, string(patch))
	for _, flag := range []string{
		"--forge=/etc/transom/credentials/forge.yaml", "--hook-secret=/etc/transom/credentials/hook-secret", "--console-url=https://transom.example",
		"--interval=1h", "--platform-interval=0s", // nothing is heard of but by hooks
		"--lease-duration=6s",
	} {
		o.patch(types.JSONPatchType, fmt.Sprintf(`[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": %q}]`, flag))
	}
	hosts := filepath.Join(o.image.root, "etc", "hosts") // as the kubelet gives one to each container
	require.NoError(t, os.MkdirAll(filepath.Dir(hosts), 0o755))
	require.NoError(t, os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"), 0o644))
	return o
}

// create makes the object of a file of the installation's directory.
func (o *organisation) create(cluster, file string) {
	o.t.Helper()
	content, err := fs.ReadFile(install.Files, file)
	require.NoError(o.t, err)
	var u unstructured.Unstructured
	require.NoError(o.t, yaml.Unmarshal(content, &u.Object))
	_, err = o.objects(cluster, u.GroupVersionKind().GroupKind(), u.GetNamespace()).Create(o.t.Context(), &u, metav1.CreateOptions{})
	require.NoError(o.t, err)
}

// patch changes the Deployment as an overlay does.
func (o *organisation) patch(kind types.PatchType, text string) {
	o.t.Helper()
	_, err := o.client("hub").AppsV1().Deployments("transom-daemon").Patch(o.t.Context(), "transom", kind, []byte(text), metav1.PatchOptions{})
	require.NoError(o.t, err)
}

// startIssuer starts a real OpenID provider, which ends with the test.
func (o *organisation) startIssuer() {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), filepath.Join(o.bin, "issuer"), "-redirect", o.api+"/login/callback", "-secret", "orchard")
	stdin, err := cmd.StdinPipe()
	require.NoError(o.t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(o.t, err)
	require.NoError(o.t, cmd.Start())
	o.t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(o.t, err)
	at, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	require.True(o.t, ok, line)
	o.issuer = at
}

// pod starts one more replica, as the Deployment says.
func (o *organisation) pod() *world {
	replica := &world{t: o.t, dir: o.dir, bin: o.bin, fleet: o.fleet, asker: o.asker}
	replica.runPod("hub", "transom-daemon", "transom", o.image)
	o.service.add(replica.api)
	return replica
}

// idOfLogin is the number of a login in the issuer's form.
var idOfLogin = regexp.MustCompile(`name="id" value="([^"]+)"`)

// logIn has a person log in by a browser without scripts, and says who that is to the daemon.
func (o *organisation) logIn(user string) (person *http.Client, who string) {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(o.t, err)
	person = &http.Client{Jar: jar, Transport: o.trust}
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.api+"/", http.NoBody)
	require.NoError(o.t, err)
	req.Header.Set("Accept", "text/html")
	form, _ := o.body(person.Do(req))
	id := idOfLogin.FindStringSubmatch(form)
	require.Len(o.t, id, 2, form)
	page, code := o.body(person.PostForm(o.issuer+"/login/username", url.Values{"id": {id[1]}, "username": {user}, "password": {"verysecure"}}))
	require.Equal(o.t, http.StatusOK, code, page)
	require.Contains(o.t, page, "<title>Home · Transom</title>")
	who, _ = o.body(person.Get(o.api + "/api/v1/whoami"))
	return person, who
}

// whoIsPipeline says who a ServiceAccount of the management cluster is to the daemon, by a token for the daemon alone.
func (o *organisation) whoIsPipeline() string {
	o.t.Helper()
	accounts := o.client("hub").CoreV1().ServiceAccounts("default")
	_, err := accounts.Create(o.t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "pipeline"}}, metav1.CreateOptions{})
	require.NoError(o.t, err)
	answer, err := accounts.CreateToken(o.t.Context(), "pipeline", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"transom"}},
	}, metav1.CreateOptions{})
	require.NoError(o.t, err)
	pipeline := &http.Client{Transport: bearer{o.trust, answer.Status.Token}}
	who, _ := o.body(pipeline.Get(o.api + "/api/v1/whoami"))
	return who
}

func (o *organisation) body(answer *http.Response, err error) (text string, code int) {
	o.t.Helper()
	require.NoError(o.t, err)
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	require.NoError(o.t, err)
	return string(content), answer.StatusCode
}

// tells calls the hook for a push to the platform, which is taken as soon as a replica leads.
func (o *organisation) tells() {
	o.t.Helper()
	body := fmt.Sprintf(`{"ref": "refs/heads/main", "repository": {"clone_url": "%s/git/platform.git"}}`, o.repositories.URL)
	o.eventually("the hook is taken", func() error {
		if code := o.call(hookSecret, body); code != http.StatusAccepted {
			return fmt.Errorf("answered %d", code)
		}
		return nil
	})
}

// TestAnOrganisationUsesIt tells one story to an installation of two replicas with the image's own files: people log in, two teams have
// different rights, the forge gets statuses and a comment, merges are heard of by a hook, and a leader killed in the middle of a promotion
// costs nobody anything.
func TestAnOrganisationUsesIt(t *testing.T) {
	t.Parallel()
	o := newOrganisation(t)
	a := o.pod()
	a.eventually("the first replica leads", func() error { return a.answers("/readyz", "ok\n") })
	b := o.pod()
	b.eventually("the second one is its standby", func() error { return b.answers("/readyz", "ok: standby\n") })
	first := o.git(o.clone(), "rev-parse", "HEAD")
	o.eventually("the shop is live on both clusters", func() error {
		return errors.Join(o.healthy(first, 2), o.runsShop("hub", "nginx:1"), o.runsShop("spoke", "nginx:1"))
	})

	operator, who := o.logIn("test-user@localhost")
	require.Contains(t, who, `"role":"operator"`)
	developer, who := o.logIn("test-user2")
	require.Contains(t, who, `"role":"developer","teams":["payments"]`)
	require.Contains(t, o.whoIsPipeline(), `"role":"developer","teams":["search"]`)
	o.boundsTeamsByTheirRights(o.image, o.tells)
	t.Log("two people are logged in; ledger has what it asked for, and search has the API server's word")
	sees := func(person *http.Client, instance string) int {
		_, code := o.body(person.Get(o.api + "/api/v1/instances/" + instance + "/manifests"))
		return code
	}
	require.Equal(t, http.StatusOK, sees(developer, "dev/payments/shop"))
	require.Equal(t, http.StatusForbidden, sees(developer, "shared/ledger/note"), "of another team")
	require.Equal(t, http.StatusOK, sees(operator, "shared/ledger/note"))
	require.Equal(t, http.StatusUnauthorized, sees(&http.Client{Transport: o.trust}, "dev/payments/shop"))

	o.proposes("nginx:2")
	began := time.Now()
	before := o.shopCommits()
	commit := o.push("shop: 1.0.2", map[string]string{"requests/payments/shop.yaml": shopOf("1.0.2")})
	o.tells()
	o.eventually("the promotion is under way", func() error { return o.runsShop("hub", "nginx:2") })
	t.Logf("%.1fs after the push the shop runs in dev", time.Since(began).Seconds())
	a.kill()
	killed := time.Now()
	require.Equal(t, [2]int{before[0] + 1, before[1]}, o.shopCommits(), "it was killed in the middle")
	o.eventually("the standby leads", func() error { return b.answers("/readyz", "ok\n") })
	t.Logf("the standby leads %.1fs after the leader was killed", time.Since(killed).Seconds())
	o.eventually("the promotion ends", func() error { return o.runsShop("spoke", "nginx:2") })
	require.Equal(t, [2]int{before[0] + 1, before[1] + 1}, o.shopCommits(), "neither twice nor never")
	o.eventually("the forge is told of both environments", func() error {
		all := strings.Join(o.hub.told(commit), "\n")
		for _, environment := range []string{"dev", "prod"} {
			if !strings.Contains(all, "transom/"+environment+" success healthy: 1 of 1 placements") {
				return errors.New(all)
			}
		}
		return nil
	})
	t.Logf("%.1fs after the leader was killed the promotion is over: %s", time.Since(killed).Seconds(), strings.Join(o.hub.told(commit), "; "))
	require.Equal(t, http.StatusOK, sees(developer, "dev/payments/shop"), "people stay logged in")
	b.stop()
}

// shopCommits are how many commits of the states of dev and prod changed the shop.
func (o *organisation) shopCommits() (n [2]int) {
	for i, at := range []string{"dev clusters/hub", "prod clusters/spoke"} {
		environment, directory, _ := strings.Cut(at, " ")
		n[i] = len(o.commits(environment, directory+"/payments/shop.yaml"))
	}
	return n
}

// proposes opens a pull request for another version of the shop, whose comment has the plan.
func (o *organisation) proposes(image string) {
	w := o.world
	w.git(w.clone(), "checkout", "-q", "-b", "paint")
	require.NoError(w.t, os.WriteFile(filepath.Join(w.clone(), "requests/payments/shop.yaml"), []byte(shopOf("1.0.2")), 0o644))
	w.git(w.clone(), "commit", "-qam", "shop: 1.0.2")
	w.git(w.clone(), "push", "-q", "origin", "paint")
	branch := w.git(w.clone(), "rev-parse", "HEAD")
	w.git(w.clone(), "checkout", "-q", "main")
	repo := map[string]any{"id": 1, "html_url": "https://github.example/acme/platform"}
	o.hub.change(func() {
		o.hub.requests = []any{map[string]any{
			"number": 1, "user": map[string]any{"login": "dev"}, "base": map[string]any{"repo": repo},
			"head": map[string]any{"ref": "paint", "sha": branch, "repo": repo},
		}}
	})
	o.tells()
	var comment string
	w.eventually("the pull request has the plan", func() (err error) { comment, err = o.hub.comment(); return err })
	require.Contains(w.t, comment, "<!-- transom plan "+branch+" ")
	require.Contains(w.t, comment, image)
	title, _, _ := strings.Cut(comment[strings.Index(comment, "\n")+1:], "\n")
	w.t.Logf("the comment: %s", title)
}
