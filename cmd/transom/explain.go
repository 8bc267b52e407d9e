package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// explainOptions are the flags of explain.
type explainOptions struct {
	output      output
	records     records
	environment string
	cluster     string
	live        live
	at          string
}

func newExplain() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain KIND NAME --kubeconfig FILE | explain TEAM/REQUEST|FILE --environment ENVIRONMENT",
		Short: "Trace what runs back to who asked for it",
		Long: `Trace what runs back to who asked for it: live object, state commit, Release file with the gates that it passed,
platform commit, request file and line, and the version of the offering.

Given a kind and a name, the object is read from the cluster that the kubeconfig leads to; its labels say which request
and environment it belongs to. Given TEAM/REQUEST, or a file of the environment's state repository, the question begins
there. With --at it says what the environment, or a cluster of it, was to run at that time. Without a daemon the state
repository and a clone of the platform are read.`,
		Example: `  transom explain deployment shop -n storefront --kubeconfig ~/.kube/prod-eu-1
  transom explain postgresqls.example.com orders-db -n payments --kubeconfig ~/.kube/config --context prod
  transom explain storefront/shop --environment prod
  transom explain storefront/shop --environment prod --cluster prod-eu-1 -o json
  transom explain clusters/prod-eu-1/storefront/shop.yaml --environment prod
  transom explain --at 2026-11-22T10:00:00Z --environment prod --cluster prod-eu-1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.at != "" {
				return o.showPast(cmd, args)
			}
			found, err := o.find(cmd.Context(), args)
			if err != nil {
				return err
			}
			return o.output.print(cmd.OutOrStdout(), found, func(w io.Writer) { found.text(w, terminal.PaintFor(w)) })
		},
	}
	o.output.flag(cmd)
	o.records.flag(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.environment, "environment", "e", "", "the environment that a request is asked about")
	f.StringVar(&o.cluster, "cluster", "", "the cluster that a request is asked about; left out, its first")
	f.StringVar(&o.at, "at", "", "instead, what was to run at this time, such as 2026-11-22T10:00:00Z")
	f.StringVarP(&o.live.namespace, "namespace", "n", "", "namespace of the live object; left out, the context's")
	f.StringVar(&o.live.kubeconfig, "kubeconfig", "", "kubeconfig that leads to the live object's cluster (KUBECONFIG)")
	f.StringVar(&o.live.context, "context", "", "context of the kubeconfig; left out, its current one")
	return cmd
}

// explanation is a trace with the live object that it began at, if it did.
type explanation struct {
	Object *liveObject `json:"object,omitempty"`
	web.Trace
}

// find traces the request or the live object that the arguments name.
func (o *explainOptions) find(ctx context.Context, args []string) (*explanation, error) {
	switch len(args) {
	case 1:
		key, cluster, err := parseTraced(args[0])
		if err != nil {
			return nil, err
		}
		if o.environment == "" {
			return nil, misuse("explain %s needs --environment: say which one is asked about", key)
		}
		return o.trace(ctx, nil, o.environment, key, cmp.Or(cluster, o.cluster))
	case 2:
		object, err := o.live.read(ctx, args[0], args[1])
		if err != nil {
			return nil, err
		}
		if err := object.foreign(); err != nil {
			return nil, err
		}
		cluster, err := o.locate(ctx, object)
		if err != nil {
			return nil, err
		}
		return o.trace(ctx, object, object.Environment, object.Request, cluster)
	default:
		return nil, misuse("explain takes KIND NAME or TEAM/REQUEST")
	}
}

// trace asks the daemon where an instance comes from, or, without a daemon, the repositories.
func (o *explainOptions) trace(ctx context.Context, object *liveObject, environment string, key platform.RequestKey, cluster string) (*explanation, error) {
	trace, err := o.records.client.Explain(ctx, client.Selection{Team: key.Team, Request: key.Name, Environment: environment, Cluster: cluster})
	var away client.Absent
	if errors.As(err, &away) && o.environment != "" {
		var unread error
		if trace, unread = o.offline(ctx, key, cluster); unread != nil {
			return nil, fmt.Errorf("%w\n%w", err, unread)
		}
		err = nil
	}
	if err != nil {
		err = o.known(ctx, environment, key, err)
	}
	return &explanation{object, trace}, err
}

// known says of a trace that the daemon did not find whether it is that there is no such request, as status does.
func (o *explainOptions) known(ctx context.Context, environment string, key platform.RequestKey, err error) error {
	var refused client.Refused
	if !errors.As(err, &refused) || refused.Code != http.StatusNotFound {
		return err
	}
	about := client.Selection{Team: key.Team, Request: key.Name, Environment: environment, Objects: "none"}
	s, unanswered := o.records.client.Status(ctx, about)
	if unanswered != nil {
		return err
	}
	for i := range s.Instances {
		if waits := firstPromotion(&s.Instances[i]); waits != "" {
			return errors.New(waits)
		}
	}
	return cmp.Or(unknown(ctx, o.records.client, s, about), err)
}

// firstPromotion says that an instance waits to enter its environment for the first time; empty: it does not. Nothing of it was
// committed there, so there is nothing to trace.
func firstPromotion(in *status.Instance) string {
	if in.Release != "" || in.Candidate == nil {
		return ""
	}
	text := fmt.Sprintf("nothing of %s runs in %s yet: its first release", in.Request, in.Environment)
	if in.Candidate.Version != "" {
		text += ", " + in.Candidate.Offering + " " + in.Candidate.Version + ","
	}
	for i, g := range in.Waiting {
		text += map[bool]string{true: " waits for ", false: "; and for "}[i == 0] + string(g.Name) + ": " + g.Reason
		if g.Opens != "" {
			text += "; opens: " + g.Opens
		}
	}
	return strings.TrimSuffix(text, ",")
}

// offline follows a trace through the repositories themselves.
func (o *explainOptions) offline(ctx context.Context, key platform.RequestKey, cluster string) (web.Trace, error) {
	state, err := o.records.open(ctx, o.environment)
	if err != nil {
		return web.Trace{}, err
	}
	source, err := o.records.platformPast(ctx)
	if err != nil {
		return web.Trace{}, err
	}
	return audit.Trace(ctx, state.Repository, state.Head.Commit, source, web.Question{Environment: o.environment, Request: key, Cluster: cluster})
}

// parseTraced reads TEAM/REQUEST, or the path of a manifest or Release file of a state repository.
func parseTraced(text string) (key platform.RequestKey, cluster string, err error) {
	parts := strings.Split(filepath.ToSlash(text), "/")
	last := func(n int) string { return strings.Join(parts[max(0, len(parts)-n):], "/") } // the path may lead into a clone
	if cluster, key, ok := state.ParseManifestFile(last(4)); ok {
		return key, cluster, nil
	}
	if key, ok := state.ParseReleaseFile(last(3)); ok {
		return key, "", nil
	}
	if strings.HasSuffix(text, ".yaml") {
		return key, "", misuse("%s is no file of a state repository: these are clusters/CLUSTER/TEAM/REQUEST.yaml and releases/TEAM/REQUEST.yaml", text)
	}
	if key, err = platform.ParseRequestKey(text); err != nil {
		return key, "", misuse("%w; for a live object give KIND NAME", err)
	}
	return key, "", nil
}

// text prints the trace from the object that runs down to the person who asked for it.
func (e *explanation) text(w io.Writer, p terminal.Paint) {
	title := e.Request.String()
	if e.Object != nil {
		title = e.Object.String()
	}
	where := e.Environment
	if e.Cluster != "" {
		where = e.Cluster + " in " + e.Environment
	}
	fmt.Fprintf(w, "%s on %s\n", p.Bold(title), where)
	if e.Object != nil {
		fmt.Fprintf(w, "├─ %s %s\n", p.Faint("part of  "), e.Request)
	}
	rung(w, p, "state", e.State, tree.Branch(false))
	e.release(w, p)
	rung(w, p, "platform", e.Platform, tree.Branch(false))
	rung(w, p, "request", e.RequestFile, tree.Branch(e.Version.File == ""))
	if e.Version.File != "" {
		rung(w, p, "version", e.Version, tree.Branch(true))
	}
}

// release prints the Release file, and how the release came to this environment.
func (e *explanation) release(w io.Writer, p terminal.Paint) {
	if e.Release == nil {
		return
	}
	r := e.Release
	fmt.Fprintf(w, "├─ %s %s  %s, release %s\n", p.Faint("release  "), e.ReleaseFile, r.Offering+" "+r.Version, terminal.Short(r.Digest))
	tell := func(format string, args ...any) { fmt.Fprintf(w, "│  %9s %s\n", "", fmt.Sprintf(format, args...)) }
	if old := e.Earlier; old != nil {
		tell("%s still has %s %s, release %s: its wave is to come", e.Cluster, old.Offering, old.Version, terminal.Short(old.Digest))
	}
	if len(r.Promotion.PromotedFrom) > 0 {
		tell("promoted from %s", strings.Join(r.Promotion.PromotedFrom, ", "))
	}
	for _, g := range r.Promotion.Gates {
		tell("passed %s", tree.PassedGate(g))
	}
}

// rung prints a file and the commit that changed it last.
func rung(w io.Writer, p terminal.Paint, name string, o web.Origin, l tree.Limb) {
	file := o.File
	if o.Line > 0 {
		file = fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	fmt.Fprintf(w, "%s%s %s  commit %s", l.Lead, p.Faint(fmt.Sprintf("%-9s", name)), file, p.Yellow(terminal.Short(o.Commit)))
	if o.URL != "" {
		fmt.Fprintf(w, " of %s", o.URL)
	}
	fmt.Fprintln(w)
	if o.Subject != "" || o.Author != "" {
		fmt.Fprintf(w, "%s%9s %s\n", l.Below, "", o.Subject)
		fmt.Fprintf(w, "%s%9s %s\n", l.Below, "", p.Faint(o.Author+" at "+o.When.Local().Format(time.DateTime)))
	}
}
