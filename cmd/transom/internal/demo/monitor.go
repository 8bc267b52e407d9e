package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// prometheus is the address in the example's check of rollouts.
const prometheus = "http://prometheus.acme.example:9090"

// sickConfig is the line of a cache's configuration with which its consumers get errors.
const sickConfig = "maxmemory-policy noeviction"

// A monitor stands in for the Prometheus of the example. No container of the sandbox runs, so that nobody can count answers: the
// monitor looks at a cache's configuration on the API server, and counts the errors that its consumers would get.
type monitor struct {
	*inspector
	address string // HOST:PORT
}

// startMonitor answers queries until ctx is done.
func startMonitor(ctx context.Context, d *Demo) (*monitor, *part, error) {
	i, err := d.inspect()
	if err != nil {
		return nil, nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listen for the checks: %w", err)
	}
	m := &monitor{i, l.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/query", m.answer)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	running := &part{ended: make(chan struct{}), end: func() { _ = server.Close() }}
	go func() {
		defer close(running.ended)
		_ = server.Serve(l) // it ends with Close
	}()
	return m, running, nil
}

// asksAbout finds the subject in the example's query.
var asksAbout = regexp.MustCompile(`request="([^"/]*)/([^"]*)",cluster="([^"]*)"`)

// answer answers a query as Prometheus does: how many errors a second there are.
func (m *monitor) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	errs, err := m.errors(r.Context(), r.FormValue("query"))
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(w, `{"status":"error","errorType":"execution","error":%q}`, err.Error())
		return
	}
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"%g"]}]}}`, time.Now().Unix(), errs)
}

func (m *monitor) errors(ctx context.Context, query string) (float64, error) {
	found := asksAbout.FindStringSubmatch(query)
	if len(found) == 0 || m.clients[found[3]] == nil {
		return 0, errors.New("there is no such series")
	}
	k := deployment{found[1], found[2] + "-redis"}
	d, err := m.on(ctx, found[3], k)
	if err != nil {
		return 0, nil //nolint:nilerr // it is no cache, and no other service has errors
	}
	for _, volume := range d.Spec.Template.Spec.Volumes {
		if volume.ConfigMap == nil {
			continue
		}
		config, err := m.clients[found[3]].CoreV1().ConfigMaps(k.namespace).Get(ctx, volume.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return 0, err
		}
		if strings.Contains(config.Data["redis.conf"], sickConfig) {
			return 41.5, nil
		}
	}
	return 0, nil
}
