package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"transom.dev/cmd/transom/internal/enroll"
	"transom.dev/cmd/transom/internal/installation"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/fleet/credential"
	"transom.dev/render/platform"
)

// clusterAddOptions are the flags of cluster add.
type clusterAddOptions struct {
	output                            output
	kubeconfig, context, server       string
	platform                          string
	labels                            []string
	out, secret                       string
	management, managementContextName string
	roles                             []string
	lifetime                          time.Duration
	replace, dryRun                   bool
}

// added is the result of cluster add.
type added struct {
	Cluster    string    `json:"cluster"`
	Server     string    `json:"server"`
	Account    string    `json:"account"`             // NAMESPACE/NAME of the ServiceAccount
	Granted    []string  `json:"granted"`             // a line for each rule
	Manifests  string    `json:"manifests,omitempty"` // with --dry-run: that would be applied to the cluster
	UID        string    `json:"uid,omitempty"`
	Version    string    `json:"version,omitempty"`
	Expires    time.Time `json:"expires,omitzero"` // of the token
	Kubeconfig string    `json:"kubeconfig"`       // its file or Secret
	File       string    `json:"file"`             // of the Cluster
	Wrote      bool      `json:"wrote"`            // the file is new
	DryRun     bool      `json:"dryRun,omitempty"`
	Notes      []string  `json:"notes,omitempty"`
	Next       string    `json:"next"`
}

func newClusterAdd() *cobra.Command {
	var o clusterAddOptions
	cmd := &cobra.Command{
		Use:   "add NAME --context CONTEXT",
		Short: "Add a cluster to the fleet, or renew its token",
		Long: `Add a cluster to the fleet. A context of your kubeconfig says which, and as whom the rights are given there. On the cluster it
makes the namespace transom-system and in it the ServiceAccount transom, with the rights that Transom always needs and
those that the platform's offerings and environments need, as "transom install --target" has them; all are printed. It never gives cluster-admin by
itself: --cluster-role binds the account to whatever else you name, such as edit. Then it requests a token that ends after
--lifetime, tries it, and writes a kubeconfig with it where the daemon reads it: into a directory (--out), or a Secret of the
management cluster (--secret). The daemon renews that token in the second half of its life. Last it writes the Cluster file into
the platform repository, for you to commit and merge: until then the daemon does nothing there.

Run again, it gives the rights for kinds that are new, makes a new token, and changes nothing else; interrupted half way, the
next run finishes. A Cluster file or a kubeconfig of somebody else that says another thing is refused before anything is done.
To take it back, remove the Cluster file, then do on the cluster what "transom uninstall" says for every cluster of the fleet;
deleting the ServiceAccount ends all of its tokens at once.`,
		Example: `  transom cluster add prod-eu-1 --context eu-1 --platform ./platform --label environment=prod --out ./kubeconfigs
  transom cluster add prod-eu-1 --context eu-1 --out ./kubeconfigs --dry-run

  # Into a Secret of the management cluster, for a daemon of "transom install --kubeconfig-secrets"
  transom cluster add prod-eu-1 --context eu-1 --label environment=prod --secret transom-kubeconfigs --management-context mgmt`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args[0]); err != nil {
				return err
			}
			result, err := o.add(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return o.output.print(cmd.OutOrStdout(), result, result.text)
		},
	}
	o.output.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.context, "context", "", "context of the kubeconfig that leads to the cluster; absent: its current one")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig with that context (KUBECONFIG)")
	f.StringVar(&o.server, "api-server", "", "URL by which the daemon reaches the API server; absent: that of the context")
	f.StringVar(&o.platform, "platform", ".", "the platform repository's directory")
	f.StringSliceVarP(&o.labels, "label", "l", nil, "label of the cluster, NAME=VALUE, by which environments select it (repeatable)")
	f.StringVar(&o.out, "out", "", "write the kubeconfig to this directory, which the daemon has as --kubeconfigs")
	f.StringVar(&o.secret, "secret", "", "write the kubeconfig to a Secret in this namespace of the management cluster")
	f.StringVar(&o.management, "management-kubeconfig", "", "with --secret: kubeconfig of the management cluster")
	f.StringVar(&o.managementContextName, "management-context", "", "with --secret: context of that kubeconfig, or of KUBECONFIG")
	f.StringSliceVar(&o.roles, "cluster-role", nil, "bind the account to this ClusterRole, too, for all namespaces (repeatable)")
	f.DurationVar(&o.lifetime, "lifetime", 30*24*time.Hour, "life of the token; the cluster may give it a shorter one")
	f.BoolVar(&o.replace, "replace", false, "replace a kubeconfig of somebody else, or one that leads elsewhere")
	f.BoolVar(&o.dryRun, "dry-run", false, "print everything that would be done, and change nothing")
	must(cmd.MarkFlagDirname("platform"))
	must(cmd.MarkFlagDirname("out"))
	cmd.MarkFlagsMutuallyExclusive("out", "secret")
	return cmd
}

// check refuses flags that do not go together.
func (o *clusterAddOptions) check(name string) error {
	faults := validation.IsDNS1123Label(name)
	switch {
	case len(faults) > 0:
		return misuse("%q is no name of a cluster: %s", name, faults[0])
	case o.out == "" && o.secret == "":
		return misuse("transom cluster add needs --out or --secret: say where the daemon reads kubeconfigs")
	case o.lifetime < 10*time.Minute:
		return misuse("--lifetime %s: give 10m or more", o.lifetime)
	}
	return nil
}

// add looks at all that could be in the way before it changes anything, and writes the Cluster file last.
func (o *clusterAddOptions) add(ctx context.Context, name string) (*added, error) {
	file, err := o.clusterFile(name)
	if err != nil {
		return nil, err
	}
	member, err := o.member(name, file)
	if err != nil {
		return nil, err
	}
	destination, err := o.destination(ctx, name, member.Server.Server)
	if err != nil {
		return nil, err
	}
	result := &added{
		Cluster: name, Server: member.Server.Server, Account: enroll.Account,
		Kubeconfig: destination.name, File: file.name, Wrote: file.content != nil, DryRun: o.dryRun, Notes: file.notes,
	}
	if result.Granted, err = member.Granted(); err != nil {
		return nil, err
	}
	if o.dryRun {
		result.Next = "nothing was done: without --dry-run it is"
		result.Manifests, err = member.Manifests()
		return result, err
	}
	if err := member.Grant(ctx); err != nil {
		return nil, err
	}
	issued, err := member.Issue(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w; the rights are given: run it again to go on", err)
	}
	result.UID, result.Version, result.Expires = issued.UID, issued.Version, issued.Expires
	if err := destination.write(ctx, issued.Kubeconfig); err != nil {
		return nil, fmt.Errorf("%w; the rights are given: run it again to go on", err)
	}
	result.Next = "next: nothing; the daemon uses the new token by itself"
	if file.content != nil {
		if err := workspace.WriteFile(filepath.Join(o.platform, filepath.FromSlash(file.name)), file.content); err != nil {
			return nil, fmt.Errorf("%w; the kubeconfig is written: run it again to go on", err)
		}
		result.Next = fmt.Sprintf("next: commit %s and merge it; \"transom cluster list\" then shows the cluster", file.name)
	}
	return result, nil
}

// member reads the context, and the rights that the platform needs there.
func (o *clusterAddOptions) member(name string, file *clusterFile) (*enroll.Member, error) {
	member, err := enroll.Open(o.kubeconfig, o.context)
	if err != nil {
		return nil, err
	}
	member.Name, member.ClusterRoles, member.Lifetime = name, o.roles, o.lifetime
	if o.server != "" {
		member.Server.Server = o.server
	}
	if member.Rights, err = installation.RightsFor(file.platform); err != nil {
		return nil, err
	}
	for _, guess := range member.Rights.Guessed {
		file.notes = append(file.notes, "look up whether the cluster serves "+guess+", which is a guess: neither Kubernetes nor the platform defines it")
	}
	for _, problem := range member.Rights.Problems {
		if !problem.Warning {
			file.notes = append(file.notes, "the rights that this would need may be missing: "+problem.String())
		}
	}
	return member, nil
}

// destination is where the kubeconfig goes.
type destination struct {
	name  string
	write func(ctx context.Context, data []byte) error
}

// destination looks at the path of the kubeconfig: a kubeconfig there that Transom did not make, or that leads elsewhere, is
// replaced only where that was asked for.
func (o *clusterAddOptions) destination(ctx context.Context, name, server string) (d destination, err error) {
	var source credential.Source
	if o.out != "" {
		dir := credential.Directory(o.out)
		if _, err := os.ReadDir(o.out); err != nil {
			return d, fmt.Errorf("read --out: %w; it must be the directory that the daemon has as --kubeconfigs", err)
		}
		source, d.name = dir, dir.File(name)
		d.write = func(_ context.Context, data []byte) error { return credential.WriteFile(dir.File(name), data) }
	} else {
		management, err := managementConfig(o.management, o.managementContextName)
		if err != nil {
			return d, err
		}
		secrets, err := credential.OpenSecrets(management, o.secret)
		if err != nil {
			return d, err
		}
		source, d.name = secrets, secrets.Name(name)
		d.write = func(ctx context.Context, data []byte) error { return secrets.Write(ctx, name, data) }
	}
	there, ours, err := credential.Peek(ctx, source, name)
	switch {
	case errors.Is(err, fs.ErrNotExist) || o.replace:
		return d, nil
	case err != nil:
		return d, err
	case !ours:
		return d, fmt.Errorf("%s is not of transom cluster add; --replace replaces it", d.name)
	case there != server:
		return d, fmt.Errorf("%s leads to %s, and not to %s; --replace replaces it", d.name, there, server)
	}
	return d, nil
}

// clusterFile is the Cluster file of a cluster.
type clusterFile struct {
	name    string
	content []byte // nil: it is there already
	notes   []string

	platform *platform.Platform // with the file
}

// clusterFile drafts the Cluster file, or accepts the one that is there. One with other labels than those asked for is refused.
func (o *clusterAddOptions) clusterFile(name string) (*clusterFile, error) {
	wanted := map[string]string{}
	for _, label := range o.labels {
		key, value, ok := strings.Cut(label, "=")
		if !ok || key == "" {
			return nil, misuse("--label %q: it is NAME=VALUE", label)
		}
		wanted[key] = value
	}
	file := &clusterFile{name: "clusters/" + name + ".yaml"}
	p, err := workspace.Load(o.platform)
	if err != nil {
		return nil, err
	}
	known := p.Clusters[name]
	switch {
	case len(p.Environments) == 0:
		return nil, fmt.Errorf("%s is no platform: it has no environments; name a clone of the platform repository with --platform, or begin with "+
			"\"transom init\"; nothing was done", o.platform)
	case known == nil:
		file.content = draftCluster(name, wanted)
		if p, err = workspace.LoadEdited(o.platform, map[string][]byte{file.name: file.content}); err != nil {
			return nil, err
		}
		known = p.Clusters[name]
	case known.File != file.name:
		return nil, fmt.Errorf("the platform has cluster %s in %s: move it to %s first", name, known.File, file.name)
	case len(wanted) > 0 && !labels.Equals(wanted, known.Labels):
		return nil, fmt.Errorf("%s has the labels %q, and not %q: edit it, or leave out --label; nothing was done",
			file.name, labels.FormatLabels(known.Labels), labels.FormatLabels(wanted))
	}
	for _, problem := range p.Problems {
		if problem.File == file.name && !problem.Warning {
			return nil, fmt.Errorf("%s\nnothing was done", problem)
		}
	}
	file.platform, file.notes = p, notSelected(p, known)
	return file, nil
}

func draftCluster(name string, set map[string]string) []byte {
	text := "apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: " + name + "\n"
	if len(set) > 0 {
		text += "  labels:\n"
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		text += fmt.Sprintf("    %s: %q\n", key, set[key])
	}
	return []byte(text + "spec: {}\n")
}

// notSelected says where no environment selects a cluster: then the daemon does not even look at it.
func notSelected(p *platform.Platform, c *platform.Cluster) []string {
	for _, e := range p.Environments {
		if e.Clusters != nil && e.Clusters.Matches(labels.Set(c.Labels)) {
			return nil
		}
	}
	return []string{fmt.Sprintf("no environment selects a cluster with the labels %q: --label gives it others, and environments/*.yaml "+
		"say which they select", labels.FormatLabels(c.Labels))}
}

func (a *added) text(w io.Writer) {
	would := ""
	if a.DryRun {
		would = "would be "
	}
	fmt.Fprintf(w, "cluster %s at %s\n", a.Cluster, a.Server)
	if a.UID != "" {
		fmt.Fprintf(w, "it answers with Kubernetes %s and identity %s\n", a.Version, a.UID)
	}
	fmt.Fprintf(w, "\n%sgranted to ServiceAccount %s:\n", would, a.Account)
	for _, r := range a.Granted {
		fmt.Fprintf(w, "  %s\n", r)
	}
	fmt.Fprintln(w)
	if a.Manifests != "" {
		fmt.Fprintf(w, "the objects on the cluster:\n%s\n", a.Manifests)
	}
	if a.DryRun {
		fmt.Fprintf(w, "would write %s with a new token\n", a.Kubeconfig)
	} else {
		fmt.Fprintf(w, "wrote %s with a token until %s, which the daemon renews\n", a.Kubeconfig, a.Expires.UTC().Format("2006-01-02 15:04 MST"))
	}
	switch {
	case !a.Wrote:
		fmt.Fprintf(w, "%s is there already\n", a.File)
	case a.DryRun:
		fmt.Fprintf(w, "would write %s\n", a.File)
	default:
		fmt.Fprintf(w, "wrote %s\n", a.File)
	}
	for _, note := range a.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	fmt.Fprintln(w, a.Next)
}
