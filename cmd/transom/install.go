package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/installation"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/examples/install"
)

// installOptions are the flags of install.
type installOptions struct {
	daemon installation.Daemon
	target bool
	rights string
	out    string
	output output
}

const installHelp = `Print what a management cluster needs to run the daemon: a Namespace, a ServiceAccount, a Deployment of two pods, a PodDisruptionBudget, a Service and a
NetworkPolicy; with --own-cluster also the rights to deploy to that cluster itself, whose Cluster file then says inCluster: true,
and with --service-monitor a ServiceMonitor and alert rules for the Prometheus operator. The image is yours: "make image PUSH=REF" builds it and pushes it.

With --target, print what every other cluster of the fleet needs: a Namespace for inventories, a ServiceAccount, and the
rights that the daemon needs there whatever is rendered. A kubeconfig with a token of that ServiceAccount goes into the
Secret kubeconfigs, where nothing renews it; "transom cluster add" does all of that by itself. With --kubeconfig-secrets the daemon
reads Secrets of the namespace transom-kubeconfigs, too, and renews the tokens in them: "transom cluster add --secret
transom-kubeconfigs" writes them.

With --rights, print the rights for the kinds that the versions of a platform's offerings and the overlays of its
environments render: a ClusterRole and its binding, for the own cluster, or with --target for any other. Who may write
roles has to have the rights that they give; those are in it, too. A new version may need more: kept in the platform repository as
rights.yaml, "transom check" compares them. Where environments write objects as ServiceAccounts of the teams (spec.impersonate),
it has the right to act as those, and where all do, the daemon only reads the kinds of versions.

With --out, write all of it as a directory of Kustomize bases, with an overlay to edit, alerts.yaml with the alert rules for any
Prometheus, and a component with which people log in: without it whoever is let in by the NetworkPolicy, the daemon's own namespace, can read the console.

The daemon starts once there is a Secret credentials in its namespace, whose key git.yaml says how it logs in to Git
servers ("transom serve --help"). Nothing is contacted, and nothing is changed but with --out.`

const installExample = `  # Into the management cluster, which is itself one of the fleet
  transom install --platform https://git.example.com/acme/platform.git --image registry.example.com/transom:1 \
    --own-cluster | kubectl apply -f -
  transom install --rights ./platform | kubectl apply -f -
  kubectl -n transom-daemon create secret generic credentials --from-file=git.yaml

  # Kept with the platform, so that "transom check" warns of a version that needs more
  transom install --rights . > rights.yaml

  # For another cluster of the fleet
  transom install --target | kubectl --context prod apply -f -
  transom install --target --rights ./platform | kubectl --context prod apply -f -

  # Clusters whose tokens the daemon renews
  transom install --platform https://git.example.com/acme/platform.git --image registry.example.com/transom:1 \
    --kubeconfig-secrets | kubectl apply -f -
  transom cluster add prod --context prod --secret transom-kubeconfigs --management-context mgmt

  # As Kustomize bases for a repository
  transom install --out ./transom`

func newInstall() *cobra.Command {
	var o installOptions
	cmd := &cobra.Command{
		Use:     "install",
		Short:   "Print the manifests of an installation",
		Long:    installHelp,
		Example: installExample,
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.out != "" {
				return o.write(cmd.OutOrStdout())
			}
			manifests, problems, err := o.manifests(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), manifests); err != nil {
				return err
			}
			return problems
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.daemon.Platform, "platform", "", "URL of the platform repository, over https or ssh")
	f.StringVar(&o.daemon.Image, "image", "", "reference of the daemon's image, best with its digest")
	f.BoolVar(&o.daemon.OwnCluster, "own-cluster", false, "add the rights to deploy to the management cluster itself")
	f.BoolVar(&o.daemon.RenewsTokens, "kubeconfig-secrets", false, "add a namespace with kubeconfigs whose tokens the daemon renews, and its rights there")
	f.BoolVar(&o.daemon.ServiceMonitor, "service-monitor", false, "add a ServiceMonitor, and alert rules as a PrometheusRule")
	f.BoolVar(&o.target, "target", false, "print the manifests of another cluster of the fleet")
	f.StringVar(&o.rights, "rights", "", "print the rights that the platform in this directory needs")
	f.StringVar(&o.out, "out", "", "write Kustomize bases to this directory")
	must(cmd.MarkFlagDirname("rights"))
	for _, other := range []string{"target", "rights", "out"} {
		for _, flag := range []string{"platform", "image", "own-cluster", "kubeconfig-secrets", "service-monitor"} {
			cmd.MarkFlagsMutuallyExclusive(other, flag)
		}
	}
	cmd.MarkFlagsMutuallyExclusive("target", "out")
	cmd.MarkFlagsMutuallyExclusive("rights", "out")
	o.output.flag(cmd)
	return cmd
}

// manifests makes the manifests that the flags ask for. With problems that a platform has they are not all of them.
func (o *installOptions) manifests(stderr io.Writer) (manifests []byte, problems, err error) {
	switch {
	case o.rights != "":
		p, err := workspace.Load(o.rights)
		if err != nil {
			return nil, nil, err
		}
		rights, err := installation.RightsFor(p)
		if err != nil {
			return nil, nil, err
		}
		for _, guess := range rights.Guessed {
			fmt.Fprintf(stderr, "look up whether the cluster serves %s, which is a guess: neither Kubernetes nor the platform defines it\n", guess)
		}
		manifests, err = rights.Manifests(o.target)
		return manifests, tellProblems(stderr, rights.Problems), err
	case o.target:
		manifests, err = installation.Target()
		return manifests, nil, err
	case o.daemon.Platform == "" || o.daemon.Image == "":
		return nil, nil, misuse("transom install needs --platform and --image, or --target, --rights or --out")
	default:
		manifests, err = o.daemon.Manifests()
		return manifests, nil, err
	}
}

func (o *installOptions) print(w io.Writer, manifests []byte) error {
	list, err := installation.NewList(manifests)
	if err != nil {
		return err
	}
	return o.output.print(w, list, func(w io.Writer) { _, _ = w.Write(manifests) })
}

// write writes the directories of manifests. It overwrites no file.
func (o *installOptions) write(w io.Writer) error {
	if err := os.CopyFS(o.out, install.Files); err != nil {
		return fmt.Errorf("write --out: %w", err)
	}
	var files []string
	err := fs.WalkDir(install.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	return o.output.print(w, map[string]any{"directory": o.out, "files": files}, func(w io.Writer) {
		fmt.Fprintf(w, "wrote %d files to %s; edit overlay/kustomization.yaml, then kubectl apply -k %s/overlay\n", len(files), o.out, o.out)
	})
}
