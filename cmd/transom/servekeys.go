package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"transom.dev/fleet/credential"
	"transom.dev/reconciler/trigger"
)

// keyOptions are the flags that say how the daemon reaches the clusters.
type keyOptions struct {
	dir        string
	namespaces []string // of Secrets on the management cluster
	management string   // kubeconfig of that; empty: the daemon runs in it
	allowed    []string

	sources credential.Keys
	secrets []*credential.Secrets // among them
}

// given says whether there is anywhere to look for kubeconfigs.
func (o *keyOptions) given() bool { return o.dir != "" || len(o.namespaces) > 0 }

func (o *keyOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.dir, "kubeconfigs", "", "directory with <cluster>.kubeconfig files")
	f.StringSliceVar(&o.namespaces, "kubeconfig-secrets", nil,
		`namespace of the management cluster with <cluster>-kubeconfig Secrets of "transom cluster add" or Cluster API (repeatable)`)
	f.StringVar(&o.management, "management-kubeconfig", "", "kubeconfig of the management cluster; absent: the one that the daemon runs in")
	allowKubeconfigFlag(f, &o.allowed)
}

// open checks the flags and makes the sources of kubeconfigs, the directory first.
func (o *keyOptions) open() error {
	if err := credential.CheckExceptions(o.allowed); err != nil {
		return misuse("--allow-kubeconfig: %w", err)
	}
	o.sources.Allowed = o.allowed
	if o.dir != "" {
		if _, err := os.ReadDir(o.dir); err != nil {
			return fmt.Errorf("read --kubeconfigs: %w; it must be a directory with a <cluster>.kubeconfig for every cluster", err)
		}
		o.sources.Sources = append(o.sources.Sources, credential.Directory(o.dir))
	}
	if len(o.namespaces) == 0 {
		if o.management != "" {
			return misuse("--management-kubeconfig goes with --kubeconfig-secrets: say in which namespace the Secrets are")
		}
		return nil
	}
	management, err := managementConfig(o.management, "")
	if err != nil {
		return err
	}
	for _, namespace := range o.namespaces {
		secrets, err := credential.OpenSecrets(management, namespace)
		if err != nil {
			return err
		}
		o.secrets = append(o.secrets, secrets)
		o.sources.Sources = append(o.sources.Sources, secrets)
	}
	return nil
}

// watch adds the duty to have a cluster connected anew when its kubeconfig changed.
func (o *keyOptions) watch(add func(func(context.Context) error), reconnect func(cluster string), logger *slog.Logger) {
	if o.dir != "" {
		add(func(ctx context.Context) error { return trigger.Kubeconfigs(ctx, o.dir, reconnect) })
	}
	told := func(err error) {
		if err != nil {
			logger.Warn("kubeconfigs not watched: a new one is found when the management cluster answers again", "err", err)
		} else {
			logger.Warn("kubeconfigs watched again")
		}
	}
	for _, secrets := range o.secrets {
		add(func(ctx context.Context) error { return secrets.Watch(ctx, reconnect, told) })
	}
}
