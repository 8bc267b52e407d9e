package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/fleet"
	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
)

// drainTime bounds how long the HTTP server waits for requests in flight when the daemon ends.
const drainTime = 5 * time.Second

// endTime bounds how long the daemon takes to end after a signal, also in the middle of a pass: killing it loses nothing.
const endTime = 20 * time.Second

// memoryShare is the share of the memory limit of the control group up to which the heap may grow.
const memoryShare = 0.9

// serveOptions are the flags of serve.
type serveOptions struct {
	platform    string
	branch      string
	keys        keyOptions
	data        string
	credentials string
	listen      string
	hosts       []string
	verbose     bool
	logFormat   string
	notice      noticeOptions
	trust       trustOptions
	signers     signerOptions
	outside     outsideOptions
	access      accessOptions
	lease       leaseOptions
	notify      notifyOptions
	news        newsOptions
	forge       forgeOptions
	checks      askOptions
	sealed      sealedOptions
}

// moreServeHelp is about groups of flags.
const moreServeHelp = signerHelp + "\n\n" + leaseHelp + "\n\n" + noticeHelp + "\n\n" + forgeHelp + "\n\n" + traceHelp + "\n\n" + checkHelp

func newServe() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Annotations: map[string]string{untilInterrupted: "true"},

		Use:   "serve --platform URL --kubeconfigs DIR --data DIR",
		Short: "Run the daemon",
		Long: `Run the daemon: watch the platform repository, commit each environment's state, apply it to the fleet.

The kubeconfig directory holds one <cluster>.kubeconfig for every cluster of the platform; with --kubeconfig-secrets, Secrets of
a management cluster do, those of Cluster API included. "transom cluster add" makes either. Kubeconfigs may be added, rotated or
removed at any time; one that does not work leaves the connection of before as it is. The data directory is a cache: it may be deleted whenever the daemon is stopped.
The state repositories' URLs come from the platform's environment files; a relative one, such as ../state-dev.git, is
relative to the platform's URL. Credentials for Git come from a file that only the operator can read.

Kustomize runs in worker processes of the same binary: as many as processors, at least two and at most four, with up to
512 MiB each. A build that needs more than that, or 8 s of processor time, is ended. It is a Problem of its instance, which
keeps what it has, and is tried again after ten minutes, then after twice as long each time, and after a restart.

With --state-key every state commit is signed, as git commit -S does with an SSH key, and one that is not signed with that
key or one of --state-keys is never applied: what the last signed one has is restored. A branch that was written before
needs --trust-state once, with the commit that the refusal names. To rotate a key, start with the new one and the old
one's public key in --state-keys. Several daemons each list the others' keys.
Without a key, who may push to a state branch may promote, remove and roll back what the platform repository has. Bytes that
it does not render to, in commits that this process did not make, are held back until an Approval {state: COMMIT}.

On this machine nobody logs in. Beyond it, --access FILE says who may do what: holders of tokens ("transom token" makes them),
ServiceAccounts of the cluster that the daemon runs in, and people at an OpenID Connect issuer, each as viewer, developer of a
team or operator. It needs TLS, or a proxy where TLS ends. --anonymous-viewers lets anybody read instead, as versions before did.

What Git servers and API servers answer is bounded before it is read: the --git-… and --cluster-… flags. An answer that is over a
limit is said in the status of its environment or cluster, with the flag to raise, and delays nobody else.

` + moreServeHelp,
		Example: `  # A platform on this machine
  transom serve --platform /srv/git/platform.git --kubeconfigs ./kubeconfigs --data /var/lib/transom

  # A platform on a forge, with credentials by URL prefix
  transom serve --platform https://git.example.com/acme/platform.git --git-credentials /etc/transom/git.yaml \
    --kubeconfigs /etc/transom/kubeconfigs --data /var/lib/transom

  # The same for people who log in, and the forge is told
  transom serve --access /etc/transom/access.yaml --tls-cert /etc/transom/tls.crt --tls-key /etc/transom/tls.key \
    --listen :7460 --host transom.acme.example --forge /etc/transom/forge.yaml --console-url https://transom.acme.example --platform …

  # The same with signed state, and the key of before
  ssh-keygen -t ed25519 -N '' -f state-key
  transom serve --state-key state-key --state-keys state-key-of-2026.pub --platform …`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.platform == "" || !o.keys.given() || o.data == "" {
				return misuse("transom serve needs --platform, --data, and --kubeconfigs or --kubeconfig-secrets")
			}
			return serve(cmd.Context(), o, cmd.ErrOrStderr())
		},
	}
	o.flags(cmd.Flags())
	return cmd
}

func (o *serveOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.platform, "platform", "", "URL or path of the platform repository (required)")
	f.StringVar(&o.branch, "branch", "main", "branch of the platform repository")
	o.keys.flags(f)
	f.StringVar(&o.data, "data", "", "directory for caches (required)")
	f.StringVar(&o.credentials, "git-credentials", "", "file with credentials for Git, by URL prefix; read again when it changes")
	f.StringVar(&o.listen, "listen", client.DefaultListen, "address of the console and the API")
	f.StringSliceVar(&o.hosts, "host", nil, "name by which the console is asked for, beside localhost and this machine's addresses (repeatable)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log every pass")
	o.notice.flags(f)
	o.trust.flags(f)
	o.signers.flags(f)
	o.outside.flags(f)
	o.access.flags(f)
	o.lease.flags(f)
	o.notify.flags(f)
	o.news.flags(f)
	o.forge.flags(f)
	o.checks.flags(f)
	o.sealed.flags(f)
	f.StringVar(&o.logFormat, "log-format", "auto", "text, json, or auto: text on a terminal")
}

// serve prepares the logger, the credentials, the data directory and the listener, and runs the daemon.
func serve(ctx context.Context, o serveOptions, stderr io.Writer) error {
	logger, err := newLogger(stderr, o.logFormat, o.verbose)
	if err != nil {
		return err
	}
	credentials, err := o.prepare()
	if err != nil {
		return err
	}
	release, err := claimData(ctx, o.data)
	if err != nil {
		return err
	}
	defer release()
	limitMemory(logger)
	sampleMemory(o.access.profiles)
	defer freeMemory(ctx)()
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer endWithin(ctx, endTime, func() {
		logger.Error("not everything ended in time: the process ends where it is, which loses nothing", "after", endTime)
		os.Exit(1)
	})()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --listen", o.listen, err)
	}
	entrance, err := o.access.open(ctx, listener)
	if err != nil {
		_ = listener.Close()
		return err
	}
	lease, err := o.lease.open(entrance)
	if err != nil {
		_ = listener.Close()
		return err
	}
	latch := trigger.New()
	return o.run(ctx, end, &replica{Lease: lease, logger: logger, fire: latch.Fire}, latch, entrance, credentials)
}

// run wires the concrete parts and runs them until ctx is done or one of them fails. Those that write are duties of the replica, which
// calls end when they have to end.
func (o *serveOptions) run(ctx context.Context, end context.CancelFunc, self *replica, latch *trigger.Latch, entrance *entrance,
	credentials gitrepo.Credentials,
) error {
	logger := self.logger
	board, figures := status.NewBoard(time.Now), web.NewFigures()
	board.Milestones = figures.Milestone
	repositories := &remote.Mirrors{Dir: o.data, Credentials: credentials, Limits: o.outside.git, Timeout: o.outside.gitTime, PushAllowed: self.MayWrite, Large: make(chan *gitrepo.Remote, 1)}
	source := repositories.Open(o.platform, o.branch)
	board.Branch = source.Branch
	r := &reconciler.Reconciler{
		PlatformURL: o.platform, Platform: source, Board: board, Trigger: latch, Logger: logger, Now: time.Now,
		Figures: figures, Trust: o.trust.read, Signers: o.signers.now(), Checks: o.checks.asker(figures),
		Repository: func(url string) string { return gitrepo.Canonical(remote.Resolve(o.platform, url)) },
	}
	following := &followed{board: board, latch: latch, logger: logger}
	traces := &tracer{board: board, platform: source}
	f := &fleet.Fleet{
		Connect: self.guarded(o.keys.sources.Connect), Limits: o.outside.cluster, Keys: o.sealed.read,
		Report: r.Placed, ReportCluster: r.ClusterSeen, Outdated: r.Outdated, Refetch: r.Refetch,
	}
	r.Fleet, r.Jobs = f, f

	group, ctx := errgroup.WithContext(ctx)
	o.notify.start(ctx, group, r, figures, o.forge.console)
	o.news.start(self.work.add, board, f, figures, logger)
	r.OpenState = func(e *platform.Environment) (reconciler.StateRepo, error) {
		repo := repositories.Open(remote.Resolve(o.platform, e.State.URL), e.State.Branch)
		traces.opened(e.Name, repo)
		following.follow(ctx, group, e.Name, repo, 0)
		return repo, nil
	}
	latch.Fire("start")
	following.follow(ctx, group, "", source, o.notice.platform)
	self.work.add(f.Run)
	self.work.add(r.Run)
	group.Go(func() error { return trigger.Every(ctx, o.notice.interval, func() { latch.Fire("interval") }) })
	r.Traces = traceChanges(ctx, self.work.add, logger)
	o.rereadKeys(ctx, group, credentials, following)
	o.keys.watch(self.work.add, f.Reconnect, logger)
	heard := o.forge.tell(self.work.add, board, traces, repositories, following.heard)
	plans := newBranchPlans(self.work.add, traces, repositories)
	group.Go(func() error { return repositories.Renew(ctx, warnOfMirror(logger)) })
	group.Go(func() error {
		return warnIfMayPush(ctx, repositories.Apart(o.platform, o.branch, filepath.Join(o.data, "unused")), logger)
	})
	group.Go(func() error { return self.run(ctx, end, r.Follow) })
	entrance.serve(ctx, group, web.Options{
		Board: board, Ready: self.ready(r.Ready, r.Followed), Leader: self.leader(), LeaderTLS: entrance.peer(), Vouch: entrance.vouch(), Warned: board.Warned, Docs: documents(),
		Access: entrance.guard, Proxies: entrance.proxies, MostRequests: o.access.requests, Limited: figures.Limited, MetricsElsewhere: entrance.metrics != nil,
		Includes: includes(source), Passes: r.Passes, Owners: &codeOwners{traces: traces},
		Hooks: o.notice.hooks(heard, figures.Hook, logger), Look: following.look, Plans: plans,
		Runtime: podReader{f}, Manifests: newManifestReader(traces, f), Explain: traces.explain, Past: traces.past, Edit: traces.edited, Changes: newComparisons().changes, Sample: schema.Sample, Journal: &audit.Journal{Branches: traces.branches}, Collectors: append(figures.Collectors(), web.Ages(r.Ages)), Hosts: o.hosts,
	}, logger)
	logger.Info("serving", "version", thisBuild().Version, "commit", thisBuild().Commit, "platform", o.platform, "console", entrance.url())
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	logger.Info("stopped")
	return nil
}

// endWithin calls exit once ctx has been done for as long as limit, unless stop is called before.
func endWithin(ctx context.Context, limit time.Duration, exit func()) (stop func()) {
	stopped := make(chan struct{})
	context.AfterFunc(ctx, func() {
		select {
		case <-stopped:
		case <-time.After(limit):
			exit()
		}
	})
	return sync.OnceFunc(func() { close(stopped) })
}

// limitMemory has the garbage collector keep the process below the limit of its control group, which would end it. GOMEMLIMIT
// in the environment takes precedence.
func limitMemory(logger *slog.Logger) {
	limit, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(memoryShare), memlimit.WithProvider(memlimit.FromCgroup),
		memlimit.WithLogger(slog.New(slog.DiscardHandler)))
	if err == nil && limit > 0 {
		logger.Info("memory limited", "bytes", limit)
	}
}

// prepare reads the files that the flags name, before anything is started.
func (o *serveOptions) prepare() (gitrepo.Credentials, error) {
	for _, file := range []string{o.credentials, o.trust.key} {
		if err := keptSecret(file); err != nil {
			return gitrepo.Credentials{}, err
		}
	}
	credentials, err := readCredentials(o.credentials)
	if err != nil {
		return credentials, err
	}
	if err := o.keys.open(); err != nil {
		return credentials, err
	}
	if err := errors.Join(o.outside.check(), o.notice.check(), o.lease.check(), o.forge.check(), o.checks.check(), o.sealed.check(), o.notify.open(), o.signers.open()); err != nil {
		return credentials, err
	}
	if o.trust.read, err = o.trust.trust(); err != nil {
		return credentials, err
	}
	if o.platform, err = remote.Absolute(o.platform); err != nil {
		return credentials, err
	}
	return credentials, o.forge.open(o.platform)
}

// newLogger writes text for people on a terminal, and JSON for machines elsewhere.
func newLogger(w io.Writer, format string, verbose bool) (*slog.Logger, error) {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	file, isFile := w.(*os.File)
	terminal := isFile && term.IsTerminal(int(file.Fd()))
	switch {
	case format == "json", format == "auto" && !terminal:
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
	case format == "text", format == "auto":
		noColor := !terminal || os.Getenv("NO_COLOR") != ""
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: noColor})), nil
	default:
		return nil, misuse("--log-format %q: choose text, json or auto", format)
	}
}
