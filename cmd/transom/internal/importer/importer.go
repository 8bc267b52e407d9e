// Package importer reads the objects of a namespace as somebody would have written them.
//
// Its input is a cluster and the name of a namespace; its output are manifests without the fields that the API server and
// controllers add, and a list of the objects that no version can have. Defaults are known by dry runs: the API server is
// asked, in a dry run, how an object would be without a field, and a field that comes back as it was is omitted. The
// package writes nothing to the cluster, and reads no value of a Secret.
package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/credential"
)

// The bounds of a namespace. An offering of more objects than this is several offerings.
const (
	pageSize    = 500
	mostListed  = 20_000 // objects of one kind, those that controllers made included
	mostObjects = 300
	patience    = 2 * time.Minute
)

// Found is the content of a namespace.
type Found struct {
	Objects []*unstructured.Unstructured // sorted by kind and name
	Omitted []Omission                   // sorted
}

// Omission is an object that is not part of the version, or not as it could be, and why.
type Omission struct {
	Object string `json:"object"` // KIND NAME
	Reason string `json:"reason"`
}

func (l Omission) String() string { return l.Object + ": " + l.Reason }

// Read reads a namespace. A selector by labels narrows it; empty: all objects.
func Read(ctx context.Context, config *rest.Config, namespace, selector string) (*Found, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := newReader(config, namespace, selector)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
	}
	kinds, err := r.kinds()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its kinds: %w", config.Host, err)
	}
	var all []listed
	for _, k := range kinds {
		of, err := r.list(ctx, k)
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	if err := r.readTemplates(ctx); err != nil {
		return nil, err
	}
	for _, l := range r.choose(all) {
		if err := r.read(ctx, l); err != nil {
			return nil, err
		}
	}
	if len(r.found.Objects) == 0 {
		return nil, r.nothing()
	}
	r.found.leaveScaling()
	slices.SortFunc(r.found.Objects, func(a, b *unstructured.Unstructured) int { return cmp.Compare(title(a), title(b)) })
	slices.SortFunc(r.found.Omitted, func(a, b Omission) int { return cmp.Compare(a.String(), b.String()) })
	return r.found, nil
}

// reader reads one namespace.
type reader struct {
	namespace, selector string

	discover discovery.DiscoveryInterface
	metadata metadata.Interface
	objects  dynamic.Interface
	claims   []string // the beginnings of names that StatefulSets give their claims
	found    *Found
}

// listed is an object by its metadata.
type listed struct {
	resource schema.GroupVersionResource
	kind     string
	*metav1.PartialObjectMetadata
}

func (l listed) title() string { return l.kind + " " + l.Name }

func newReader(config *rest.Config, namespace, selector string) (*reader, error) {
	config = credential.Bound(config)
	config.QPS, config.Burst = 50, 100
	r := &reader{namespace: namespace, selector: selector, found: &Found{}}
	var err error
	if r.discover, err = discovery.NewDiscoveryClientForConfig(config); err != nil {
		return nil, err
	}
	if r.metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, err
	}
	r.objects, err = dynamic.NewForConfig(config)
	return r, err
}

// made are kinds whose objects controllers make, or that pass by.
var made = []string{"Endpoints", "EndpointSlice", "Event", "Lease", "ControllerRevision", "PodTemplate"}

// kinds lists the resources of a namespace whose objects somebody can make and remove. An API that is away is told.
func (r *reader) kinds() ([]metav1.APIResource, error) {
	lists, err := r.discover.ServerPreferredNamespacedResources()
	var away *discovery.ErrGroupDiscoveryFailed
	if errors.As(err, &away) {
		for version, why := range away.Groups {
			r.leave(version.String(), "its kinds could not be read, and none of its objects is looked for: %v", why)
		}
	} else if err != nil {
		return nil, err
	}
	var kinds []metav1.APIResource
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, k := range list.APIResources {
			if strings.Contains(k.Name, "/") || slices.Contains(made, k.Kind) || !canKeep(k.Verbs) {
				continue
			}
			k.Group, k.Version = group.Group, group.Version
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}

// canKeep says whether objects of a kind are made, changed and removed by people.
func canKeep(verbs metav1.Verbs) bool {
	for _, verb := range []string{"list", "get", "create", "update", "delete"} {
		if !slices.Contains(verbs, verb) {
			return false
		}
	}
	return true
}

// list lists the objects of a kind by their metadata.
func (r *reader) list(ctx context.Context, k metav1.APIResource) (all []listed, err error) {
	resource := schema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Name}
	options := metav1.ListOptions{LabelSelector: r.selector, Limit: pageSize}
	for {
		page, err := r.metadata.Resource(resource).Namespace(r.namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list the %s of %s: %w", k.Name, r.namespace, err)
		}
		for i := range page.Items {
			all = append(all, listed{resource, k.Kind, &page.Items[i]})
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
		if len(all) > mostListed {
			return nil, fmt.Errorf("list the %s of %s: there are more than %d; choose some by their labels with --selector", k.Name, r.namespace, mostListed)
		}
	}
}

// read reads an object whole and adds it as it would be written.
func (r *reader) read(ctx context.Context, l listed) error {
	if len(r.found.Objects) == mostObjects {
		return fmt.Errorf("%s has more than %d objects to import; choose some by their labels with --selector", r.namespace, mostObjects)
	}
	objects := r.objects.Resource(l.resource).Namespace(r.namespace)
	live, err := objects.Get(ctx, l.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read %s: %w", l.title(), err)
	}
	written, err := trim(ctx, objects, live)
	if err != nil {
		r.leave(l.title(), "it has every field that it has in the cluster, defaults included: the API server did not try it without: %v", err)
	}
	r.found.Objects = append(r.found.Objects, written)
	return nil
}

func (r *reader) leave(object, reason string, args ...any) {
	r.found.Omitted = append(r.found.Omitted, Omission{object, fmt.Sprintf(reason, args...)})
}

// nothing is the error of a namespace without an object to import.
func (r *reader) nothing() error {
	text := fmt.Sprintf("there is nothing to import in the namespace %s", r.namespace)
	if r.selector != "" {
		text += " with the labels " + r.selector
	}
	for i, l := range r.found.Omitted {
		if i == 10 {
			text += fmt.Sprintf("\n  and %d more", len(r.found.Omitted)-i)
			break
		}
		text += "\n  " + l.String()
	}
	return errors.New(text)
}

func title(o *unstructured.Unstructured) string { return o.GetKind() + " " + o.GetName() }
