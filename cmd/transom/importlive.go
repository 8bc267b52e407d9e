package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/clientcmd"

	"transom.dev/cmd/transom/internal/importer"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/builtin"
	"transom.dev/render/platform"
)

func newImport() *cobra.Command {
	return group(&cobra.Command{
		Use:   "import",
		Short: "Write down what runs already as an offering and a request",
		Long: `Write down what runs already as an offering and a request that adopts it. For manifests in files there is
"transom new offering --from".`,
		Example: `  transom import live payments/shop --context prod-eu-1 --namespace payments -e prod`,
	}, newImportLive())
}

// importLiveOptions are the flags of import live.
type importLiveOptions struct {
	output               output
	in                   platformDir
	kubeconfig, context  string
	namespace, selector  string
	offering, title, own string
	environments         []string
}

// imported is the result of import live.
type imported struct {
	scaffold
	Objects []string            `json:"objects"`        // KIND NAME
	Omitted []importer.Omission `json:"left,omitempty"` // objects that are not part of the version, or not as they could be
}

func newImportLive() *cobra.Command {
	var o importLiveOptions
	cmd := &cobra.Command{
		Use:   "live TEAM/REQUEST --namespace NAMESPACE",
		Short: "Write down the objects of a namespace as an offering and a request that adopts them",
		Long: `Write down the objects of a namespace as the first version of an offering, 0.1.0, under the names that they have, and as a
request with "adopt: true" for it. A context of your kubeconfig says in which cluster; nothing is written there.

The manifests have what somebody would have written: no status, no addresses that the cluster assigned, and no field that has
its default. Whether a field may be left out is asked of the API server, in a dry run. Objects that others make are left out:
those with an owner, the claims of StatefulSets, and those that every namespace has. Left out with a reason are Secrets, whose values do
not belong in Git, pods and Jobs by themselves, and what a request of Transom has already. Choose some of many by --selector, and
import each group as an offering of its own.

The request takes the objects over once it is merged. Before, "transom plan --live" says how that would change each.`,
		Example: `  transom import live payments/shop --context prod-eu-1 --namespace payments -e prod
  transom import live payments/shop -n payments --selector app=shop -e prod --offering web-shop -C ./platform`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := platform.ParseRequestKey(args[0])
			if err != nil {
				return usageError{err}
			}
			if o.namespace == "" {
				return misuse("--namespace says which objects are meant")
			}
			if _, err := labels.Parse(o.selector); err != nil {
				return misuse("--selector %q: %w; write it as for kubectl, such as app=shop", o.selector, err)
			}
			if o.offering == "" {
				o.offering = key.Name
			}
			result, err := o.read(cmd.Context(), key, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := result.write(o.in.dir); err != nil {
				return err
			}
			return o.output.print(cmd.OutOrStdout(), result, result.text)
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.context, "context", "", "context of the kubeconfig that leads to the cluster; absent: its current one")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig with that context (KUBECONFIG)")
	f.StringVarP(&o.namespace, "namespace", "n", "", "the namespace of the objects")
	f.StringVarP(&o.selector, "selector", "l", "", "only objects with these labels, written as for kubectl")
	f.StringSliceVarP(&o.environments, "environment", "e", nil, "the environment that the cluster is in (repeatable)")
	f.StringVar(&o.offering, "offering", "", "name of the offering; absent: the request's")
	f.StringVar(&o.title, "title", "", "the offering's name for people")
	f.StringVar(&o.own, "owner", "", "who answers for the offering")
	return cmd
}

// read reads the namespace and puts the files together. What the platform says against them comes before the cluster is asked,
// where it can.
func (o *importLiveOptions) read(ctx context.Context, key platform.RequestKey, progress io.Writer) (*imported, error) {
	p, err := o.in.load()
	if err != nil {
		return nil, err
	}
	if err := o.refuse(p, key); err != nil {
		return nil, err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w; name one with --kubeconfig, and its context with --context", err)
	}
	fmt.Fprintf(progress, "reading the namespace %s of %s\n", o.namespace, config.Host)
	found, err := importer.Read(ctx, config, o.namespace, o.selector)
	if err != nil {
		return nil, err
	}
	result := &imported{Omitted: found.Omitted}
	var objects []manifest
	for _, object := range found.Objects {
		m := manifest{file: "the namespace " + o.namespace, object: new(yaml.Node)}
		if err := m.object.Encode(object.Object); err != nil {
			return nil, fmt.Errorf("write down the %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		objects = append(objects, m)
		result.Objects = append(result.Objects, object.GetKind()+" "+object.GetName())
	}
	result.add(path.Join("offerings", o.offering, "offering.yaml"), offeringFile(o.offering, o.title, "", o.own))
	if err := result.versionOf(o.offering, "0.1.0", objects, customKinds(found.Objects)); err != nil {
		return nil, err
	}
	result.add(o.file(key), o.request(key))
	return result, o.admit(result, key)
}

// customKinds are the lines of version.yaml about kinds that are not of Kubernetes. All of a namespace are namespaced.
func customKinds(objects []*unstructured.Unstructured) string {
	var lines []string
	for _, o := range objects {
		gvk := o.GroupVersionKind()
		line := fmt.Sprintf("  - {group: %s, kind: %s, scope: Namespaced}\n", yamledit.Scalar(gvk.Group, true), yamledit.Scalar(gvk.Kind, true))
		if !builtin.Group(gvk.Group) && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "  kinds: # that others define\n" + strings.Join(lines, "")
}

func (o *importLiveOptions) file(key platform.RequestKey) string {
	return fmt.Sprintf("requests/%s.yaml", key)
}

// request is the file of the request.
func (o *importLiveOptions) request(key platform.RequestKey) string {
	var in []string
	for _, e := range o.environments {
		in = append(in, yamledit.Scalar(e, true)+": {}")
	}
	return fmt.Sprintf(`apiVersion: %s
kind: Request
metadata: {name: %s}
spec:
  offering: %s
  version: "0.1"
  adopt: true # the objects that run are taken over
  environments: {%s}
`, platform.APIVersion, yamledit.Scalar(key.Name, true), yamledit.Scalar(o.offering, true), strings.Join(in, ", "))
}

// refuse says what is in the way before a cluster is asked.
func (o *importLiveOptions) refuse(p *platform.Platform, key platform.RequestKey) error {
	all := workspace.Environments(p)
	if len(o.environments) == 0 && len(all) == 1 {
		o.environments = all
	}
	switch {
	case len(o.environments) == 0:
		return misuse("--environment says where the objects run: one of %s", strings.Join(all, ", "))
	case p.Offerings[o.offering] != nil:
		return fmt.Errorf("there is an offering %s already; give another name with --offering", o.offering)
	}
	for _, e := range o.environments {
		if p.Environments[e] == nil {
			return fmt.Errorf("there is no environment %q; the platform has %s", e, strings.Join(all, ", "))
		}
	}
	for _, e := range all {
		if slices.ContainsFunc(p.Instances(e), func(i *platform.Instance) bool { return i.Request.Key == key }) {
			return fmt.Errorf("there is a request %s already; give another name", key)
		}
	}
	return nil
}

// admit checks the files against the platform: the instance has to be in the namespace of the objects.
func (o *importLiveOptions) admit(result *imported, key platform.RequestKey) error {
	p, err := workspace.LoadEdited(o.in.dir, result.contents)
	if err != nil {
		return err
	}
	for _, problem := range p.Problems {
		if !problem.Warning && result.brings(problem.File) {
			return fmt.Errorf("%s\nnothing was written", problem)
		}
	}
	var adoptable []string
	for _, e := range o.environments {
		namespace := o.namespaceIn(p, e, key)
		if namespace != "" && namespace != o.namespace {
			return fmt.Errorf("%s gives %s the namespace %s, and the objects are in %s: choose another team, or change spec.namespace.name in environments/%s.yaml\n"+
				"nothing was written", e, key, namespace, o.namespace, e)
		}
		ours := slices.ContainsFunc(p.Instances(e), func(i *platform.Instance) bool { return i.Request.Key.Team == key.Team && i.Request.Key != key })
		if !ours && !slices.Contains(p.Environments[e].Namespace.Adopt, o.namespace) {
			adoptable = append(adoptable, fmt.Sprintf("environments/%s.yaml needs \"namespace: {adopt: [%s]}\", as the namespace exists", e, o.namespace))
		}
	}
	result.Next = `next: "transom check", commit, then "transom plan --live --kubeconfigs DIR" says how taking over would change each object`
	if len(adoptable) > 0 {
		result.Next = strings.Join(adoptable, "\n") + "\n" + result.Next
	}
	return nil
}

// namespaceIn is the namespace of the request in an environment; empty where it has no cluster there.
func (o *importLiveOptions) namespaceIn(p *platform.Platform, environment string, key platform.RequestKey) string {
	for _, i := range p.Instances(environment) {
		if i.Request.Key != key || len(i.Clusters) == 0 {
			continue
		}
		if in, problems := i.Inputs(i.Clusters[0], nil); len(problems) == 0 {
			return in.Namespace
		}
	}
	return ""
}

func (i *imported) text(w io.Writer) {
	for _, l := range i.Omitted {
		fmt.Fprintf(w, "left: %s\n", l)
	}
	i.scaffold.text(w)
}
