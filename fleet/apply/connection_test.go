package apply_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/apply"
)

// wire is a connection to an API server that can be cut; then nobody listens, as where an API server is down.
type wire struct {
	*testing.T
	to, at string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	running  sync.WaitGroup
}

func newWire(t *testing.T, config *rest.Config) (*wire, *rest.Config) {
	t.Helper()
	host, err := url.Parse(config.Host)
	require.NoError(t, err)
	w := &wire{T: t, to: host.Host, at: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	w.join()
	t.Cleanup(func() {
		w.cut()
		w.running.Wait()
	})
	config = rest.CopyConfig(config)
	config.Host = "https://" + w.at
	return w, config
}

func (w *wire) join() {
	w.Helper()
	listener, err := net.Listen("tcp", w.at)
	require.NoError(w, err)
	w.listener, w.at = listener, listener.Addr().String()
	w.running.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			w.connect(in)
		}
	})
}

func (w *wire) connect(in net.Conn) {
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = in.Close()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[in], w.conns[out] = true, true
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		w.running.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		})
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.listener.Close()
	for c := range w.conns {
		_ = c.Close()
	}
	clear(w.conns)
}

func TestUnreachableClusterIsAnErrorAndComesBack(t *testing.T) {
	r := newRig(t, &apiOnly)
	wire, config := newWire(t, r.config)
	reached := make(chan error, 100)
	c, err := apply.Connect(t.Context(), config, apply.Options{
		OnEvent: func(o apply.Owner) { r.events <- o }, OnReachable: func(err error) { reached <- err },
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	r.Cluster = c
	in := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	r.healthy(in)
	r.quiet()

	wire.cut()
	require.Error(t, <-reached)
	require.Eventually(t, func() bool { // once all of its watches noticed, nothing is concluded from the objects that they saw
		_, err := r.Apply(t.Context(), in)
		return err != nil
	}, patience, 10*time.Millisecond)
	_, err = r.Apply(t.Context(), r.instance("web", configMap("web-a", "1")))
	require.Error(t, err)
	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(t.Context(), "web-a", metav1.DeleteOptions{}))

	wire.join()
	r.told(in.Owner)
	require.NoError(t, <-reached)
	require.Equal(t, map[string]apply.Action{"ConfigMap web-a": apply.Created}, actions(r.healthy(in)))
}

func TestConnectFailsWhereNothingAnswers(t *testing.T) {
	r := newRig(t, &apiOnly)
	wire, config := newWire(t, r.config)
	wire.cut()
	_, err := apply.Connect(t.Context(), config, apply.Options{})
	require.ErrorContains(t, err, "read the identity of the cluster")
}

func TestUIDIsThatOfKubeSystem(t *testing.T) {
	r := newRig(t, &apiOnly)
	system, err := r.kube.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, string(system.UID), r.UID())
}

func TestCancelledPassEndsAtOnce(t *testing.T) {
	r := newRig(t, &apiOnly)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Apply(ctx, r.instance("web", configMap("web", "1")))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, writes(r.calls.take()))
}

func TestClosedClusterTellsNothingMore(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.healthy(in)
	r.quiet()
	r.Close()
	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	r.quiet()
	require.Empty(t, r.events)
}
