package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/credential"
	"transom.dev/reconciler/trigger"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
)

// refreshTime is how often the files of access and of the certificate are read again.
const refreshTime = 10 * time.Second

// accessOptions are the flags that say who reaches the console and the API, and by which way.
type accessOptions struct {
	file      string
	cert, key string
	proxies   []string
	anonymous bool
	metrics   string
	profiles  bool
	requests  int // a second and client; 0: any number
}

func (o *accessOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.file, "access", "", "file that says who may do what: tokens, Kubernetes and OpenID Connect; read again when it changes")
	f.StringVar(&o.cert, "tls-cert", "", "certificate of the console and the API, in PEM; read again when it changes")
	f.StringVar(&o.key, "tls-key", "", "its private key, in PEM")
	f.StringSliceVar(&o.proxies, "behind-proxy", nil, "network of proxies where TLS ends, such as 10.1.0.0/16; what they say of the client is believed (repeatable)")
	f.BoolVar(&o.anonymous, "anonymous-viewers", false, "let anybody who reaches the console and the API read them")
	f.IntVar(&o.requests, "client-requests", 50, "requests a second that a client may make in the long run, and ten times as many at once; 0: any number")
	f.StringVar(&o.metrics, "metrics-listen", "", "address of its own for /metrics, which is then nowhere else; nobody logs in there")
	f.BoolVar(&o.profiles, "pprof", false, "serve profiles of this process at --metrics-listen, below /debug/pprof/")
}

// An entrance is where people come in: the listener, and who may enter.
type entrance struct {
	listener net.Listener
	metrics  net.Listener // nil: metrics are where the console is
	profiles bool

	guard       *access.Guard
	certificate *access.Certificate // nil: without TLS
	proxies     []netip.Prefix
}

// open reads the files of access and refuses a listener that would let in more than the flags say.
func (o *accessOptions) open(ctx context.Context, listener net.Listener) (*entrance, error) {
	beyond := !isLoopback(listener.Addr())
	if err := o.check(listener.Addr(), beyond); err != nil {
		return nil, err
	}
	e := &entrance{listener: listener, profiles: o.profiles}
	for _, text := range o.proxies {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, misuse("--behind-proxy %q: give a network such as 10.1.0.0/16", text)
		}
		e.proxies = append(e.proxies, network.Masked())
	}
	var err error
	if o.cert != "" {
		if err := keptSecret(o.key); err != nil {
			return nil, err
		}
		if e.certificate, err = access.ReadCertificate(o.cert, o.key); err != nil {
			return nil, err
		}
	}
	known := access.Options{File: o.file, Reviews: tokenReviews(), ReadSecret: readSecret}
	switch {
	case o.file == "" && !beyond:
		known.Unknown = access.Operator // whoever is on this machine
	case o.anonymous:
		known.Unknown = access.Viewer
	}
	if e.guard, err = access.New(known); err != nil {
		return nil, fmt.Errorf("--access: %w", err)
	}
	if o.metrics != "" {
		if e.metrics, err = new(net.ListenConfig).Listen(ctx, "tcp", o.metrics); err != nil {
			return nil, fmt.Errorf("listen on %s: %w; choose another address with --metrics-listen", o.metrics, err)
		}
	}
	return e, nil
}

// check refuses flags that contradict each other, and an address beyond this machine where anybody could read, or tokens would travel
// in the clear.
func (o *accessOptions) check(at net.Addr, beyond bool) error {
	secure := o.cert != "" || len(o.proxies) > 0
	switch {
	case (o.cert == "") != (o.key == ""):
		return misuse("--tls-cert and --tls-key belong together")
	case o.requests < 0:
		return misuse("--client-requests %d: give a number of requests a second, or 0 for no limit", o.requests)
	case o.profiles && o.metrics == "":
		return misuse("--pprof needs --metrics-listen: profiles are never served beside the console")
	case !beyond:
		return nil
	case o.file != "" && !secure:
		return fmt.Errorf("--listen %s is reached from other machines, and tokens would travel in the clear: give --tls-cert and --tls-key, "+
			"or --behind-proxy CIDR where TLS ends at a proxy", at)
	case o.file == "" && !o.anonymous:
		return fmt.Errorf("--listen %s is reached from other machines, and nobody has to log in. Choose: "+
			"--access FILE says who may do what, with --tls-cert and --tls-key, or --behind-proxy CIDR where TLS ends at a proxy; "+
			"--anonymous-viewers lets anybody read, as versions before did; --listen 127.0.0.1:7460 keeps it to this machine", at)
	}
	return nil
}

func isLoopback(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// tokenReviews asks the cluster that this process runs in whose tokens are; nil: it runs in none.
func tokenReviews() access.Reviewer {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil
	}
	return tokenReviewsOf(config)
}

// tokenReviewsOf asks the cluster of a configuration.
func tokenReviewsOf(config *rest.Config) access.Reviewer {
	config = credential.Bound(config)
	config.QPS, config.Burst = 20, 40
	client, err := authentication.NewForConfig(config)
	if err != nil {
		return nil
	}
	return client.TokenReviews()
}

// url is where the console is.
func (e *entrance) url() string { return e.scheme() + "://" + e.listener.Addr().String() }

func (e *entrance) scheme() string {
	if e.certificate != nil {
		return "https"
	}
	return "http"
}

// peer is how other daemons with the same flags are reached over TLS; nil: without.
func (e *entrance) peer() func() *tls.Config {
	if e.certificate == nil {
		return nil
	}
	return e.certificate.Peer
}

// vouch is how daemons with the same flags know each other's words; nil: without TLS they do not.
func (e *entrance) vouch() func(string) string {
	if e.certificate == nil {
		return nil
	}
	return e.certificate.Vouch
}

// serve answers until ctx is done, and reads the files of access and of the certificate again and again.
func (e *entrance) serve(ctx context.Context, group *errgroup.Group, options web.Options, logger *slog.Logger) {
	var secured *tls.Config
	if e.certificate != nil {
		secured = e.certificate.Config()
	}
	group.Go(func() error { return serveHTTP(ctx, e.listener, secured, web.Handler(options)) })
	if e.metrics != nil {
		group.Go(func() error { return serveHTTP(ctx, e.metrics, nil, web.Metrics(options, e.profiles)) })
	}
	group.Go(func() error { return trigger.Every(ctx, refreshTime, func() { e.refresh(logger) }) })
	if at := e.listener.Addr(); !isLoopback(at) && !e.guard.Known() {
		logger.Warn("anybody who reaches this address can read the console and the API: which request runs where, its parameters, "+
			"outputs, decisions and their authors, and the names and messages of its objects. It shows no secret values and changes "+
			"nothing. --access FILE has people log in", "listen", at.String())
	}
}

// refresh reads the files again. Those with a mistake change nothing, and the log says so.
func (e *entrance) refresh(logger *slog.Logger) {
	for file, read := range map[string]func() (bool, error){"access": e.guard.Refresh, "certificate": e.renew} {
		changed, err := read()
		switch {
		case err != nil:
			logger.Warn("file not taken in: the one before stays in force", "file", file, "err", err)
		case changed:
			logger.Info("file read again", "file", file)
		}
	}
}

func (e *entrance) renew() (changed bool, err error) {
	if e.certificate == nil {
		return false, nil
	}
	return e.certificate.Refresh()
}

// serveHTTP serves until ctx is done, and then drains the requests in flight.
func serveHTTP(ctx context.Context, listener net.Listener, secured *tls.Config, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, TLSConfig: secured, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		_ = server.Shutdown(drain)
	})
	defer stop()
	serve := server.Serve
	if secured != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}
