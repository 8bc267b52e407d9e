package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
)

// explainOptions are the flags of explain.
type explainOptions struct {
	client      client
	output      output
	environment string
	cluster     string
	live        live
}

func newExplain() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain KIND NAME --kubeconfig FILE | explain TEAM/REQUEST --environment ENVIRONMENT",
		Short: "Trace what runs back to who asked for it",
		Long: `Trace what runs back to who asked for it: live object, state commit, Release file, platform commit, request file.

Given a kind and a name, the object is read from the cluster that the kubeconfig leads to; its labels say which request
and environment it belongs to. Given TEAM/REQUEST, the question begins there.`,
		Example: `  transom explain deployment shop -n storefront --kubeconfig ~/.kube/prod-eu-1
  transom explain postgresqls.example.com orders-db -n payments --kubeconfig ~/.kube/config --context prod
  transom explain storefront/shop --environment prod
  transom explain storefront/shop --environment prod --cluster prod-eu-1 -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.output.check(); err != nil {
				return err
			}
			found, err := o.find(cmd.Context(), args)
			if err != nil {
				return err
			}
			return o.output.print(cmd.OutOrStdout(), found, func(w io.Writer) { found.text(w, painter(w)) })
		},
	}
	o.client.flag(cmd)
	o.output.flag(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.environment, "environment", "e", "", "the environment that a request is asked about")
	f.StringVar(&o.cluster, "cluster", "", "the cluster that a request is asked about; left out, its first")
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

func (o *explainOptions) find(ctx context.Context, args []string) (*explanation, error) {
	switch len(args) {
	case 1:
		key, err := platform.ParseRequestKey(args[0])
		if err != nil {
			return nil, misuse("%w; for a live object give KIND NAME", err)
		}
		if o.environment == "" {
			return nil, misuse("explain %s needs --environment: say which one is asked about", key)
		}
		return o.trace(ctx, nil, o.environment, key, o.cluster)
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

func (o *explainOptions) trace(ctx context.Context, object *liveObject, environment string, key platform.RequestKey, cluster string) (*explanation, error) {
	query := selection(key.Team, key.Name, environment)
	if cluster != "" {
		query.Set("cluster", cluster)
	}
	found := &explanation{Object: object}
	if err := o.client.get(ctx, "/api/v1/explain", query, &found.Trace); err != nil {
		return nil, err
	}
	return found, nil
}

// text prints the trace from what runs down to who asked for it.
func (e *explanation) text(w io.Writer, p paint) {
	title := e.Request.String()
	if e.Object != nil {
		title = e.Object.String()
	}
	where := e.Environment
	if e.Cluster != "" {
		where = e.Cluster + " in " + e.Environment
	}
	fmt.Fprintf(w, "%s on %s\n", p.bold(title), where)
	if e.Object != nil {
		fmt.Fprintf(w, "├─ %s %s\n", p.faint("part of  "), e.Request)
	}
	rung(w, p, "state", e.State, branch(false))
	if e.Release != nil {
		fmt.Fprintf(w, "├─ %s %s  %s, release %s\n", p.faint("release  "), e.ReleaseFile, e.Release.Offering+" "+e.Release.Version, short(e.Release.Digest))
	}
	rung(w, p, "platform", e.Platform, branch(false))
	rung(w, p, "request", e.RequestFile, branch(true))
}

// rung prints a file and the commit that made it what it is.
func rung(w io.Writer, p paint, name string, o web.Origin, l limb) {
	fmt.Fprintf(w, "%s%s %s  commit %s", l.lead, p.faint(fmt.Sprintf("%-9s", name)), o.File, p.yellow(short(o.Commit)))
	if o.URL != "" {
		fmt.Fprintf(w, " of %s", o.URL)
	}
	fmt.Fprintln(w)
	if o.Subject != "" || o.Author != "" {
		fmt.Fprintf(w, "%s%9s %s\n", l.below, "", o.Subject)
		fmt.Fprintf(w, "%s%9s %s\n", l.below, "", p.faint(o.Author+" at "+o.When.Local().Format(time.DateTime)))
	}
}
