package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/credential"
	"transom.dev/reconciler/lease"
	"transom.dev/reconciler/web"
)

// leaseOptions are the flags by which one of several daemons leads.
type leaseOptions struct {
	name       string // NAMESPACE/NAME; empty: there is one daemon
	kubeconfig string // of the cluster with the Lease; empty: the daemon runs in it
	host       string // by which the other daemons reach this one
	duration   time.Duration
}

const leaseHelp = `With --lease NAMESPACE/NAME several daemons share the work of one: the holder of that Lease, in the cluster that they run in or in that
of --lease-kubeconfig, does all of it. The others are standbys: they keep their mirrors up to date, pass questions on to the
leader, and one of them takes over when the Lease ends, within twice --lease-duration, or at once when the leader ends in
peace. A daemon that loses the Lease writes nothing more and exits with 1, to be started again as a standby. Each has its own --data.`

func (o *leaseOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.name, "lease", "", "NAMESPACE/NAME of a Lease: of several daemons, its holder leads and the others are standbys")
	f.StringVar(&o.kubeconfig, "lease-kubeconfig", "", "kubeconfig of the cluster with the Lease; absent: the one that the daemon runs in")
	f.StringVar(&o.host, "lease-address", "", "name or address by which the other daemons reach this one; absent: that of --listen")
	f.DurationVar(&o.duration, "lease-duration", 10*time.Second, "how long the Lease lasts that is not renewed")
}

// check refuses a name that is none, a time that the Lease cannot have, and flags that go with --lease.
func (o *leaseOptions) check() error {
	namespace, name, ok := strings.Cut(o.name, "/")
	switch {
	case o.name == "" && (o.kubeconfig != "" || o.host != ""):
		return misuse("--lease-kubeconfig and --lease-address go with --lease NAMESPACE/NAME")
	case o.name == "":
		return nil
	case !ok || namespace == "" || name == "" || strings.Contains(name, "/"):
		return misuse("--lease %q: give NAMESPACE/NAME", o.name)
	case o.duration < 3*time.Second || o.duration%time.Second != 0:
		return misuse("--lease-duration %s: give whole seconds, and at least 3s", o.duration)
	}
	return nil
}

// open makes the Lease for the daemon that is reached at an entrance; nil: there is one daemon.
func (o *leaseOptions) open(e *entrance) (*lease.Lease, error) {
	if o.name == "" {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(e.listener.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("read the address of the listener: %w", err)
	}
	if ip := net.ParseIP(host); o.host == "" && ip.IsUnspecified() {
		return nil, misuse("--lease needs --lease-address where --listen names no address: the other daemons reach this one by it")
	}
	if o.host != "" {
		host = o.host
	}
	management, err := rest.InClusterConfig()
	if o.kubeconfig != "" {
		management, err = managementConfig(o.kubeconfig, "")
	}
	if err != nil {
		return nil, fmt.Errorf("--lease: reach the cluster with it: %w; name its kubeconfig with --lease-kubeconfig", err)
	}
	namespace, name, _ := strings.Cut(o.name, "/")
	return lease.Open(credential.Bound(management), namespace, name, e.scheme()+"://"+net.JoinHostPort(host, port), o.duration)
}

// duties are the work that only a leader does.
type duties []func(context.Context) error

func (d *duties) add(duty func(context.Context) error) { *d = append(*d, duty) }

// run does all of it until ctx is done or one of them fails.
func (d *duties) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, duty := range *d {
		group.Go(func() error { return duty(ctx) })
	}
	return group.Wait()
}

// A replica is this process among those that share a Lease.
type replica struct {
	*lease.Lease // nil: there is one process

	logger *slog.Logger
	work   duties
	fire   func(cause string) // has a pass made
}

// run follows until the process leads, and then does the work. The function end is called when the work has to end.
func (r *replica) run(ctx context.Context, end context.CancelFunc, follow func(context.Context) error) error {
	if r.Lease != nil {
		r.Told = r.told
	}
	return r.Run(ctx, func(ctx context.Context) error {
		r.logger.Info("standby", "lease", r.String(), "name", r.Name())
		return follow(ctx)
	}, func(ctx context.Context) error {
		if r.Lease != nil {
			r.logger.Info("leading", "lease", r.String(), "name", r.Name())
		}
		defer context.AfterFunc(ctx, func() {
			if errors.Is(context.Cause(ctx), lease.ErrLost) {
				r.logger.Error("the Lease is lost: nothing more is written, and this process ends", "lease", r.String())
			}
			end()
		})()
		r.fire("start")
		return r.work.run(ctx)
	})
}

// leader says who leads; nil: there is one process.
func (r *replica) leader() func() web.Leader {
	if r.Lease == nil {
		return nil
	}
	return func() web.Leader {
		address, name := r.Leader()
		return web.Leader{Here: r.MayWrite() == nil, Name: name, URL: address, Unknown: r.Unreached() != nil}
	}
}

var errCannotLead = errors.New("this replica could not take over: it does not reach the Lease; its log says why")

// told logs whether requests about the Lease are answered.
func (r *replica) told(err error) {
	switch {
	case err == nil:
		r.logger.Warn("the Lease is reached again", "lease", r.String())
	case r.MayWrite() == nil:
		r.logger.Warn("the Lease was not renewed: this process ends unless it is in time", "lease", r.String(), "err", err)
	default:
		r.logger.Warn("the Lease is not reached: this process cannot lead until it is", "lease", r.String(), "err", err)
	}
}

// ready says why this process cannot be relied on: as the leader, or as a standby.
func (r *replica) ready(leader, standby func() error) func() error {
	return func() error {
		switch {
		case r.MayWrite() == nil:
			return leader()
		case r.Unreached() != nil:
			return errCannotLead // the cause names addresses, and anybody may ask
		}
		return standby()
	}
}

// guarded has the connections of the fleet write only while this process leads.
func (r *replica) guarded(connect connector) connector {
	return func(ctx context.Context, cluster string, own bool) (*credential.Credential, error) {
		way, err := connect(ctx, cluster, own)
		if err == nil {
			way.Config.Wrap(r.Guard)
		}
		return way, err
	}
}

// A connector says how a cluster is reached, as fleet.Fleet asks it.
type connector = func(ctx context.Context, cluster string, own bool) (*credential.Credential, error)
