// Package installation makes the manifests of an installation: of the daemon, and of its rights on the clusters of a fleet.
//
// In come the names that differ from one installation to the next, or a platform; out come manifests for kubectl. They are
// those of examples/install, so that a Kustomize overlay of that directory comes to the same. It contacts nothing.
package installation

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"transom.dev/examples/install"
)

// The namespaces of an installation. Inventories are in one of their own on each cluster.
const (
	daemonNamespace = "transom-daemon"
	systemNamespace = "transom-system"
	keysNamespace   = "transom-kubeconfigs"
)

// A Daemon is an installation in a management cluster.
type Daemon struct {
	Platform       string // the URL of the platform repository
	Image          string
	OwnCluster     bool // the management cluster is one of the fleet
	RenewsTokens   bool // it reads kubeconfigs from Secrets of a namespace of their own, and renews the tokens in them
	ServiceMonitor bool
}

// Manifests are those of the daemon, and of its rights on its own cluster if that is one of the fleet.
func (d Daemon) Manifests() ([]byte, error) {
	dirs := []string{"base"}
	if d.OwnCluster {
		dirs = append(dirs, "rights")
	}
	if d.RenewsTokens {
		dirs = append(dirs, "keys")
	}
	if d.ServiceMonitor {
		dirs = append(dirs, "monitoring")
	}
	text, err := manifests(dirs...)
	if err != nil {
		return nil, err
	}
	values := []struct{ of, given string }{{"- name: PLATFORM\n          value: ", d.Platform}, {"image: ", d.Image}}
	if d.RenewsTokens {
		values = append(values, struct{ of, given string }{"- name: KUBECONFIG_SECRETS\n          value: ", keysNamespace})
	}
	for _, value := range values {
		if text, err = set(text, value.of, value.given); err != nil {
			return nil, err
		}
	}
	return []byte(text), nil
}

// Target is the manifests of a cluster of the fleet other than the daemon's own: its ServiceAccount, and that one's rights.
func Target() ([]byte, error) {
	text, err := manifests("rights", "target")
	return []byte(strings.ReplaceAll(text, "namespace: "+daemonNamespace, "namespace: "+systemNamespace)), err
}

// manifests are the files that the kustomizations of directories name, one after the other.
func manifests(dirs ...string) (string, error) {
	var all []string
	for _, dir := range dirs {
		content, err := install.Files.ReadFile(path.Join(dir, "kustomization.yaml"))
		if err != nil {
			return "", err
		}
		var kustomization struct {
			Resources []string `json:"resources"`
		}
		if err := yaml.Unmarshal(content, &kustomization); err != nil {
			return "", fmt.Errorf("read the kustomization of %s: %w", dir, err)
		}
		for _, name := range kustomization.Resources {
			if path.Ext(name) != ".yaml" {
				continue // another directory
			}
			content, err := install.Files.ReadFile(path.Join(dir, name))
			if err != nil {
				return "", err
			}
			all = append(all, string(content))
		}
	}
	return strings.Join(all, "---\n"), nil
}

// set replaces the rest of the one line that begins after a text.
func set(in, after, value string) (string, error) {
	before, rest, found := strings.Cut(in, after)
	_, rest, ended := strings.Cut(rest, "\n")
	if !found || !ended || strings.Contains(rest, after) {
		return "", fmt.Errorf("the manifests have no single place for %q", after)
	}
	return before + after + strconv.Quote(value) + "\n" + rest, nil
}

// A List is manifests as one object, for those who read JSON.
type List struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Items      []map[string]any `json:"items"`
}

// NewList reads manifests.
func NewList(manifests []byte) (*List, error) {
	list := &List{APIVersion: "v1", Kind: "List", Items: []map[string]any{}}
	for document := range bytes.SplitSeq(manifests, []byte("\n---\n")) {
		var object map[string]any
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, fmt.Errorf("read the manifests: %w", err)
		}
		list.Items = append(list.Items, object)
	}
	list.Items = slices.DeleteFunc(list.Items, func(o map[string]any) bool { return len(o) == 0 })
	return list, nil
}
