package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/e2e/sandbox/memory"
)

// fakeFleet are many clusters in this process. Each has an address of its own, as connections are counted by it.
type fakeFleet struct {
	layout   layout
	clusters []*fakeCluster
	handler  http.Handler
	token    string
	statuses chan deployment
	report   func(format string, args ...any)
}

// fakeCluster is one of them.
type fakeCluster struct {
	name    string
	objects memory.Cluster
	address net.Addr
	hangs   atomic.Pointer[chan struct{}] // closed once it answers again; nil: it answers
	written atomic.Int64                  // requests that write
	asked   atomic.Int64                  // all requests
}

func fakeCommand() *cobra.Command {
	var dir string
	var clusters int
	cmd := &cobra.Command{
		Use:   "fake --dir D --clusters N",
		Short: "Serve many clusters without nodes from this process alone, for tests of scale",
		Long: `Serve many clusters without nodes from this process alone, for tests of scale.

The API servers have the code of Kubernetes' and keep their objects in memory. They serve the kinds of the groups apps and
events.k8s.io and the most used ones of the core group; there are no custom resources, nothing is admitted or refused by
policies, and no controller runs but one, which reports a Deployment as available once it was written. The clusters are called
edge-0000 and so on. Prints one line that begins with "ready" when all answer, and ends as "sandbox up" does.`,
		Example: `  sandbox fake --dir /tmp/fleet --clusters 1000
  kubectl --kubeconfig /tmp/fleet/kubeconfigs/edge-0000.kubeconfig get namespaces`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runFake(untilOrphaned(cmd.Context()), dir, clusters, cmd.OutOrStdout())
		},
	}
	dirFlag(cmd, &dir)
	cmd.Flags().IntVar(&clusters, "clusters", 10, "how many clusters")
	return cmd
}

func copyCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "copy --dir D",
		Short:   "Give all fake clusters the objects of the first one, as if each had been applied to",
		Example: "  sandbox copy --dir /tmp/fleet",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := ask(cmd.Context(), layout(dir), http.MethodPost, "/copy")
			return err
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

// runFake returns once it was told to end, or could not go on.
func runFake(ctx context.Context, dir string, clusters int, stdout io.Writer) error {
	if clusters < 1 || clusters > 10_000 {
		return fmt.Errorf("--clusters: %d is not from 1 to 10000", clusters)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("resolve --dir: %w", err)
	}
	f := &fakeFleet{layout: layout(dir), statuses: make(chan deployment, 1_000_000), report: reporter(stdout)}
	control, err := (&sandbox{layout: f.layout}).listen(ctx)
	if err != nil {
		return err
	}
	defer control.Close()
	if err := f.run(ctx, clusters, control); ctx.Err() == nil {
		return err
	}
	return nil // told to end
}

func (f *fakeFleet) run(ctx context.Context, clusters int, control net.Listener) error {
	began := time.Now()
	f.token = rand.Text()
	var err error
	if f.handler, err = newFakeHandler(f.token); err != nil {
		return err
	}
	for range 4 {
		go f.reportDeployments(ctx)
	}
	ended := make(chan error, 2)
	if err := f.serveClusters(ctx, clusters, ended); err != nil {
		return err
	}
	f.report("ready after %s: kubectl --kubeconfig %s get namespaces", since(began), f.layout.kubeconfig(f.clusters[0].name))
	go func() {
		ended <- serveUntil(ctx, &http.Server{Handler: f.control(), ReadHeaderTimeout: time.Minute}, control)
	}()
	return <-ended
}

// serveClusters has all clusters answer, and writes their kubeconfig files.
func (f *fakeFleet) serveClusters(ctx context.Context, clusters int, ended chan<- error) error {
	port, err := (&ports{}).next()
	if err != nil {
		return err
	}
	var addresses []net.IP
	for i := range clusters {
		addresses = append(addresses, net.IPv4(127, 1, byte(i/250), byte(i%250+1)))
	}
	credentials, err := newCredentials(f.layout.clusterData("fake"), "fake", addresses...)
	if err != nil {
		return err
	}
	credentials.adminToken = f.token
	byAddress := map[string]*fakeCluster{}
	for i, address := range addresses {
		c := &fakeCluster{name: fmt.Sprintf("edge-%04d", i), address: &net.TCPAddr{IP: address, Port: port}}
		c.objects.Changed = f.watchDeployments(c)
		f.clusters, byAddress[c.address.String()] = append(f.clusters, c), c
	}
	server := &http.Server{
		Handler: http.HandlerFunc(f.answer), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(l net.Listener) context.Context {
			return context.WithValue(ctx, fakeClusterKey{}, byAddress[l.Addr().String()])
		},
	}
	for _, c := range f.clusters {
		if err := f.serve(ctx, c, server, credentials, ended); err != nil {
			return err
		}
	}
	return nil
}

// serve has one cluster answer.
func (f *fakeFleet) serve(ctx context.Context, c *fakeCluster, server *http.Server, credentials *credentials, ended chan<- error) error {
	for _, namespace := range []string{"default", "kube-system"} {
		body := `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"` + namespace + `"}}`
		if err := f.do(ctx, c, http.MethodPost, "/api/v1/namespaces", "application/json", body); err != nil {
			return err
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", c.address.String())
	if err != nil {
		return fmt.Errorf("listen for %s: %w", c.name, err)
	}
	go func() {
		err := server.ServeTLS(listener, credentials.file(servingCertificate), credentials.file(servingKey))
		select {
		case ended <- fmt.Errorf("serve %s: %w", c.name, err):
		default:
		}
	}()
	kubeconfig, err := credentials.kubeconfig(c.name, "https://"+c.address.String())
	if err != nil {
		return err
	}
	return os.WriteFile(f.layout.kubeconfig(c.name), kubeconfig, 0o600)
}

// fakeClusterKey is the key of the cluster in the context of a connection.
type fakeClusterKey struct{}

// answer has the one handler answer for the cluster that was asked.
func (f *fakeFleet) answer(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(fakeClusterKey{}).(*fakeCluster)
	if hangs := c.hangs.Load(); hangs != nil {
		select {
		case <-*hangs:
		case <-r.Context().Done():
			return
		}
	}
	c.asked.Add(1)
	if r.Method != http.MethodGet {
		c.written.Add(1)
	}
	f.handler.ServeHTTP(w, r.WithContext(memory.Within(r.Context(), &c.objects)))
}

// serveUntil serves until the context ends.
func serveUntil(ctx context.Context, server *http.Server, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve control socket: %w", err)
	}
	return context.Cause(ctx)
}

// control answers on the control socket.
func (f *fakeFleet) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /copy", func(http.ResponseWriter, *http.Request) { f.copyFirst() })
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) {
		var asked, written int64
		for _, c := range f.clusters {
			asked, written = asked+c.asked.Load(), written+c.written.Load()
		}
		fmt.Fprintf(w, `{"asked":%d,"written":%d}`+"\n", asked, written)
	})
	mux.HandleFunc("POST /clusters/{name}/stop", f.handle((*fakeCluster).hang))
	mux.HandleFunc("POST /clusters/{name}/start", f.handle((*fakeCluster).resume))
	return mux
}

func (f *fakeFleet) handle(act func(*fakeCluster)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, c := range f.clusters {
			if c.name == r.PathValue("name") {
				act(c)
				return
			}
		}
		http.Error(w, "no such cluster", http.StatusNotFound)
	}
}

// hang has the cluster take requests and answer none. Watches that are open stay silent only in as far as nothing changes.
func (c *fakeCluster) hang() {
	until := make(chan struct{})
	c.hangs.CompareAndSwap(nil, &until)
}

func (c *fakeCluster) resume() {
	if until := c.hangs.Swap(nil); until != nil {
		close(*until)
	}
}

// copyFirst has all other clusters have the objects of the first, as if each had been applied to. Each keeps its identity.
func (f *fakeFleet) copyFirst() {
	for _, c := range f.clusters[1:] {
		f.clusters[0].objects.CopyTo(&c.objects, func(key string) bool {
			return key != "/namespaces/kube-system" && !strings.HasPrefix(key, "/events/")
		})
	}
}
