package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// sandbox is a running fleet: one etcd and the clusters on it.
type sandbox struct {
	layout  layout
	apiOnly bool
	audit   bool
	launch  launcher
	report  func(format string, args ...any)

	ports    ports
	etcd     *process
	etcdURL  string
	clusters []*cluster
}

// run brings everything up, serves the control socket and returns once ctx is done and everything is down again.
func (s *sandbox) run(ctx context.Context, names []string, control net.Listener) error {
	defer s.down()
	began := time.Now()
	if err := s.startEtcd(ctx); err != nil {
		return err
	}
	ctx = s.etcd.bind(ctx)
	if err := s.startClusters(ctx, names); err != nil {
		return err
	}
	s.report("ready after %s: kubectl --kubeconfig %s get namespaces", since(began), s.layout.kubeconfig(names[0]))
	return s.serve(ctx, control)
}

// startClusters starts clusters in parallel and returns when all of them are ready.
func (s *sandbox) startClusters(ctx context.Context, names []string) error {
	for _, name := range names {
		c, err := s.newCluster(name)
		if err != nil {
			return err
		}
		s.clusters = append(s.clusters, c)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(4, runtime.NumCPU())) // twenty at once would only starve each other
	for _, c := range s.clusters {
		group.Go(func() error {
			if err := c.prepare(); err != nil {
				return fmt.Errorf("cluster %s: %w", c.name, err)
			}
			return c.start(ctx)
		})
	}
	return group.Wait()
}

func (s *sandbox) newCluster(name string) (*cluster, error) {
	c := &cluster{
		name: name, apiOnly: s.apiOnly, audit: s.audit, layout: s.layout, launch: s.launch, report: s.report, etcdURL: s.etcdURL, state: Starting,
	}
	var err error
	if c.apiPort, err = s.ports.next(); err != nil {
		return nil, err
	}
	if c.kwokPort, err = s.ports.next(); err != nil {
		return nil, err
	}
	c.logPort, err = s.ports.next()
	return c, err
}

// startEtcd returns once etcd accepts connections; API servers wait for the rest themselves.
func (s *sandbox) startEtcd(ctx context.Context) error {
	clientPort, err := s.ports.next()
	if err != nil {
		return err
	}
	peerPort, err := s.ports.next()
	if err != nil {
		return err
	}
	s.etcdURL = url("http", clientPort)
	log := filepath.Join(s.layout.logs(), "etcd.log")
	s.etcd, err = s.launch.start(log, etcd, etcdFlags(filepath.Join(s.layout.data(), "etcd"), clientPort, peerPort)...)
	if err != nil {
		return err
	}
	return s.etcd.await(ctx, func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", clientPort))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// down ends everything that was started.
func (s *sandbox) down() {
	for _, c := range s.clusters {
		c.stop()
	}
	if s.etcd != nil {
		s.etcd.kill()
	}
}

func (s *sandbox) cluster(name string) (*cluster, error) {
	for _, c := range s.clusters {
		if c.name == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no cluster %q in %s", name, s.layout)
}
