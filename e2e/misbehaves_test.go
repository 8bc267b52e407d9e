package e2e_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// A way is how a server misbehaves. It is asked for Git and for Kubernetes alike, by whoever does not know better.
type way struct {
	answer func(w http.ResponseWriter, req *http.Request)
	raw    func(conn net.Conn) // instead, before there is HTTP
	git    bool                // Git alone is asked so: the API server is well
	borne  bool                // of an API server for a minute: TestABusyClusterKeepsItsConnection has what comes after that
}

// ways are all that one can meet where a Git server or an API server should be, by name.
func ways(t testing.TB) map[string]way {
	bomb := gzipped(t, 8<<20)
	return map[string]way{
		"closes": {answer: func(w http.ResponseWriter, _ *http.Request) { hangUp(w, false, "") }},
		"resets": {answer: func(w http.ResponseWriter, _ *http.Request) {
			hangUp(w, true, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
		}},
		"hangs":        {answer: func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }},
		"hangs-within": {answer: func(w http.ResponseWriter, req *http.Request) { begin(w, req, `{"kind":`); <-req.Context().Done() }},
		"trickles":     {answer: trickles},
		"endless":      {answer: func(w http.ResponseWriter, req *http.Request) { repeat(w, req, strings.Repeat(`{"a":`, 1000)) }},
		"endless-header": {answer: func(w http.ResponseWriter, _ *http.Request) {
			hangUp(w, false, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X-A: "+strings.Repeat("a", 60_000)+"\r\n", 300))
		}},
		"promises": {answer: func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Length", "1099511627776")
			begin(w, req, "")
			<-req.Context().Done()
		}},
		"bomb": {answer: func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			repeat(w, req, bomb)
		}},
		"page": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>please log in</html>")
		}},
		"truncates": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"kind":"Namespace","metadata":{"name":"ku`)
		}},
		"something-else": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ok":true}`)
		}},
		"fails": {answer: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "out of order", http.StatusInternalServerError)
		}},
		"busy": {borne: true, answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusTooManyRequests) }},
		"busy-for-long": {borne: true, answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "86400")
			http.Error(w, "busy", http.StatusTooManyRequests)
		}},
		"redirects": {answer: func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, req.URL.RequestURI(), http.StatusTemporaryRedirect)
		}},
		"silent":    {raw: func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }},
		"no-tls":    {raw: func(conn net.Conn) { _, _ = conn.Write(bytes.Repeat([]byte("garbage"), 1000)) }},
		"pack-lies": {git: true, answer: packLies},
		"refs-without-end": {git: true, answer: func(w http.ResponseWriter, req *http.Request) {
			advertise(w)
			for i := 0; req.Context().Err() == nil; i++ {
				_, _ = io.WriteString(w, pktLine(fmt.Sprintf("%040x refs/heads/b%d\n", i+1, i)))
			}
		}},
	}
}

// hangUp sends a text as it is and ends the connection, with a reset or in peace.
func hangUp(w http.ResponseWriter, reset bool, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, text)
	if plain, ok := conn.(*tls.Conn); ok && reset {
		_ = plain.NetConn().(*net.TCPConn).SetLinger(0)
		_ = plain.NetConn().Close()
	}
	_ = conn.Close()
}

// begin starts an answer.
func begin(w http.ResponseWriter, _ *http.Request, text string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// repeat writes until the client has gone.
func repeat(w http.ResponseWriter, req *http.Request, text string) {
	begin(w, req, "")
	for err := error(nil); err == nil; {
		_, err = io.WriteString(w, text)
	}
}

func trickles(w http.ResponseWriter, req *http.Request) {
	begin(w, req, "")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-req.Context().Done():
			return
		}
	}
}

func gzipped(t testing.TB, size int) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(bytes.Repeat([]byte(" "), size))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func pktLine(content string) string { return fmt.Sprintf("%04x%s", len(content)+4, content) }

// advertise lists a branch that nobody has yet, as the first of some.
func advertise(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
	_, _ = io.WriteString(w, pktLine("# service=git-upload-pack\n")+"0000"+
		pktLine(strings.Repeat("1", 40)+" refs/heads/main\x00 side-band-64k\n"))
}

// packLies has a branch that moved, and a pack of twelve bytes for four billion objects.
func packLies(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodGet {
		advertise(w)
		_, _ = io.WriteString(w, "0000")
		return
	}
	pack := binary.BigEndian.AppendUint32([]byte("\x01PACK\x00\x00\x00\x02"), 1<<32-1)
	_, _ = io.WriteString(w, pktLine("NAK\n")+pktLine(string(pack))+"0000")
}

// A proxy stands before the repositories of a world, below /git/, and before the API server of one of its clusters. It
// may misbehave.
type proxy struct {
	*httptest.Server
	way atomic.Pointer[way]
}

func newProxy(w *world, cluster string) *proxy {
	p := &proxy{}
	git, api := w.gitHandler(), apiHandler(w.t, w.config(cluster))
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		forGit := strings.HasPrefix(req.URL.Path, "/git/")
		switch how := p.way.Load(); {
		case how != nil && how.answer != nil && (forGit || !how.git):
			_, _ = io.Copy(io.Discard, req.Body)
			how.answer(w, req)
		case forGit:
			git.ServeHTTP(w, req)
		default:
			api.ServeHTTP(w, req)
		}
	}))
	p.Listener = &rude{p.Listener, p}
	p.Config.ErrorLog = discard
	p.StartTLS()
	w.t.Cleanup(func() {
		p.way.Store(nil)
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// behave sets how it answers from now on; nil is as it should. Who is connected is not any more.
func (p *proxy) behave(how *way) {
	p.way.Store(how)
	p.CloseClientConnections()
}

// kubeconfig is how to reach the cluster through it.
func (p *proxy) kubeconfig() string {
	return fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"+
		"users: [{name: u, user: {}}]\nclusters:\n- name: c\n  cluster:\n    server: %s\n    certificate-authority-data: %s\n", p.URL, base64Of(p.certificate()))
}

func (p *proxy) certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
}

// rude is a listener that may talk before it is spoken to.
type rude struct {
	net.Listener
	proxy *proxy
}

func (r *rude) Accept() (net.Conn, error) {
	for {
		conn, err := r.Listener.Accept()
		if err != nil {
			return nil, err
		}
		how := r.proxy.way.Load()
		if how == nil || how.raw == nil {
			return conn, nil
		}
		go func() { // which ends when the client has gone
			how.raw(conn)
			_ = conn.Close()
		}()
	}
}

// gitHandler serves the repositories of a world.
func (w *world) gitHandler() http.Handler {
	out, err := exec.Command("git", "--exec-path").Output()
	require.NoError(w.t, err)
	return &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"), Root: "/git",
		Env:    []string{"GIT_PROJECT_ROOT=" + w.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=transom"},
		Stderr: io.Discard, Logger: discard,
	}
}

// apiHandler passes requests on to an API server, as who its kubeconfig says.
func apiHandler(t testing.TB, config *rest.Config) http.Handler {
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	to, err := url.Parse(config.Host)
	require.NoError(t, err)
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: transport, FlushInterval: -1, ErrorLog: discard,
	}
}
