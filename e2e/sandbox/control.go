package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// Status is the line of "sandbox status" for one cluster.
type Status struct {
	Cluster    string `json:"cluster"`
	State      State  `json:"state"`
	Why        string `json:"why,omitempty"`
	Server     string `json:"server"`
	Kubeconfig string `json:"kubeconfig"`
	Etcd       string `json:"etcd"` // has the cluster's objects under /CLUSTER/
}

// listen opens the control socket, which also keeps two sandboxes out of one directory, and clears it.
func (s *sandbox) listen(ctx context.Context) (net.Listener, error) {
	if conn, err := dialControl(ctx, s.layout); err == nil {
		conn.Close()
		return nil, fmt.Errorf("a sandbox runs in %s already; end it or give another --dir", s.layout)
	}
	if err := s.layout.clear(); err != nil {
		return nil, err
	}
	if err := os.Remove(s.layout.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of an earlier sandbox: %w", err)
	}
	var listener net.Listener
	err := s.layout.shortSocket(func(path string) error {
		var config net.ListenConfig
		var err error
		listener, err = config.Listen(ctx, "unix", path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	return listener, nil
}

// serve answers on the control socket until ctx is done.
func (s *sandbox) serve(ctx context.Context, control net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /clusters", s.handleStatus)
	mux.HandleFunc("POST /clusters/{name}/stop", s.handle(func(c *cluster, _ context.Context) error {
		c.stop()
		s.report("%s: stopped", c.name)
		return nil
	}))
	mux.HandleFunc("POST /clusters/{name}/start", s.handle((*cluster).start))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(control); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve control socket: %w", err)
	}
	return context.Cause(ctx)
}

func (s *sandbox) handleStatus(w http.ResponseWriter, _ *http.Request) {
	all := make([]Status, 0, len(s.clusters))
	for _, c := range s.clusters {
		all = append(all, c.status())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // an error means that who asked is gone
}

// handle answers a request about one cluster with the outcome of act.
func (s *sandbox) handle(act func(*cluster, context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.cluster(r.PathValue("name"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		if err := act(c, r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// ask sends one request to the sandbox that runs in a directory and returns its answer.
func ask(ctx context.Context, dir layout, method, path string) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialControl(ctx, dir) },
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://sandbox"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the sandbox: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no sandbox runs in %s: %w", dir, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(string(bytes.TrimSpace(body)))
	}
	return body, nil
}

func dialControl(ctx context.Context, dir layout) (net.Conn, error) {
	var conn net.Conn
	err := dir.shortSocket(func(path string) error {
		var dialer net.Dialer
		var err error
		conn, err = dialer.DialContext(ctx, "unix", path)
		return err
	})
	return conn, err
}
