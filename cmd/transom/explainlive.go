package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/fleet/credential"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// live says where a live object is read from.
type live struct{ kubeconfig, context, namespace string }

// liveObject is an object of a cluster, and its origin by its labels.
type liveObject struct {
	Kind        string              `json:"kind"`
	Namespace   string              `json:"namespace,omitempty"`
	Name        string              `json:"name"`
	Labels      map[string]string   `json:"-"`
	Environment string              `json:"environment"`
	Request     platform.RequestKey `json:"request"`
	ClusterUID  string              `json:"clusterUID"` // of the kube-system namespace
}

func (o *liveObject) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// foreign is an error unless the labels of an object say that Transom applied it.
func (o *liveObject) foreign() error {
	if o.Labels[state.LabelManagedBy] == state.ManagedBy && o.Environment != "" && o.Request.Team != "" && o.Request.Name != "" {
		return nil
	}
	return fmt.Errorf("%s is not Transom's: it lacks the labels app.kubernetes.io/managed-by=transom and transom.dev/{environment,team,request}", o)
}

// read gets an object from the cluster. A kind is written as for kubectl: deployment, deployments.apps, Deployment.
func (l live) read(ctx context.Context, kind, name string) (*liveObject, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = l.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: l.context})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w; name one with --kubeconfig", err)
	}
	namespace := l.namespace
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, fmt.Errorf("read the kubeconfig's namespace: %w", err)
		}
	}
	config.Wrap(credential.NoRedirects)
	discover, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
	}
	mapping, err := resolveKind(discover, kind)
	if err != nil {
		return nil, fmt.Errorf("find kind %q on %s: %w", kind, config.Host, err)
	}
	var from dynamic.ResourceInterface = objects.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		from = objects.Resource(mapping.Resource).Namespace(namespace)
	}
	object, err := from.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read %s %s on %s: %w", kind, name, config.Host, err)
	}
	system, err := objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, "kube-system", metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("tell which cluster %s is: %w", config.Host, err)
	}
	return labelled(object, string(system.GetUID())), nil
}

// labelled reads the request and the environment of an object from its labels.
func labelled(object *unstructured.Unstructured, cluster string) *liveObject {
	labels := object.GetLabels()
	return &liveObject{
		Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(), Labels: labels,
		Environment: labels[state.LabelEnvironment],
		Request:     platform.RequestKey{Team: labels[state.LabelTeam], Name: labels[state.LabelRequest]},
		ClusterUID:  cluster,
	}
}

// resolveKind finds the cluster's own name and scope of a kind.
func resolveKind(discover discovery.DiscoveryInterface, kind string) (*meta.RESTMapping, error) {
	groups, err := restmapper.GetAPIGroupResources(discover)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewShortcutExpander(restmapper.NewDiscoveryRESTMapper(groups), discover, nil)
	full, groupResource := schema.ParseResourceArg(strings.ToLower(kind))
	candidates := []schema.GroupVersionResource{groupResource.WithVersion("")}
	if full != nil {
		candidates = append(candidates, *full)
	}
	var failed error
	for _, candidate := range candidates {
		found, err := mapper.KindFor(candidate)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		return mapper.RESTMapping(found.GroupKind(), found.Version)
	}
	return nil, failed
}

// locate names the cluster that an object was read from: the cluster with the same UID in the status.
func (o *explainOptions) locate(ctx context.Context, object *liveObject) (string, error) {
	s, err := o.records.client.Status(ctx, client.Selection{
		Team: object.Request.Team, Request: object.Request.Name, Environment: object.Environment, Objects: "none",
	})
	if err != nil {
		return "", err
	}
	if len(s.Environments) == 0 {
		return "", fmt.Errorf("%s belongs to environment %q, of which the daemon at %s knows nothing", object, object.Environment, o.records.client.Server)
	}
	for _, c := range s.Environments[0].Clusters {
		if c.UID == object.ClusterUID {
			return c.Name, nil
		}
	}
	return "", fmt.Errorf("%s belongs to environment %s, but no cluster of it has the UID %s of the one that the kubeconfig leads to",
		object, object.Environment, object.ClusterUID)
}
