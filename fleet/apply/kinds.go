package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// refreshEvery bounds how often the cluster is asked for its kinds while one that is wanted is missing.
const refreshEvery = time.Second

// kind is a kind in one version, as the cluster serves it.
type kind struct {
	gvk        schema.GroupVersionKind
	resource   schema.GroupVersionResource
	namespaced bool
}

// kinds are those that the cluster serves, as of its last discovery.
type kinds struct {
	client *discovery.DiscoveryClient
	limit  int64 // of bytes

	mu        sync.Mutex
	served    map[schema.GroupVersionKind]*kind
	preferred map[schema.GroupKind]*kind
	failed    map[string]bool // groups whose discovery failed: nothing may be concluded about their kinds
	refreshed time.Time
}

// find returns nil if the cluster does not serve the kind in that version, or, with an empty version, in any.
func (k *kinds) find(ctx context.Context, gvk schema.GroupVersionKind) (*kind, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found := k.lookup(gvk); found != nil {
		return found, nil
	}
	if time.Since(k.refreshed) < refreshEvery {
		return nil, nil
	}
	if err := k.refresh(ctx); err != nil {
		return nil, err
	}
	return k.lookup(gvk), nil
}

// lookup is find among the kinds that are known; the caller holds the lock.
func (k *kinds) lookup(gvk schema.GroupVersionKind) *kind {
	if gvk.Version == "" {
		return k.preferred[gvk.GroupKind()]
	}
	return k.served[gvk]
}

// forget drops a kind that the cluster turned out not to serve any more.
func (k *kinds) forget(gone *kind) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.served, gone.gvk)
	if k.preferred[gone.gvk.GroupKind()] == gone {
		delete(k.preferred, gone.gvk.GroupKind())
	}
}

// expire lets the next search for a kind that is missing ask the cluster at once.
func (k *kinds) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refreshed = time.Time{}
}

// lacks asks the cluster anew, and says whether it answered for the group of a kind and does not serve the kind.
func (k *kinds) lacks(ctx context.Context, gk schema.GroupKind) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx); err != nil {
		return false, err
	}
	return !k.failed[gk.Group] && k.preferred[gk] == nil, nil
}

// refresh asks for all groups at once. Groups that could not be discovered, such as those of an aggregated API that
// is down, keep the kinds that were known of them.
func (k *kinds) refresh(ctx context.Context) error {
	if err := mayRequest(ctx); err != nil {
		return err
	}
	leaveDesk(ctx)
	ctx = spending(ctx, newBudget(k.limit, "--cluster-discovery-bytes"))
	groups, lists, err := k.client.ServerGroupsAndResourcesWithContext(ctx)
	var partial *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partial) {
		return fmt.Errorf("discover the kinds of the cluster: %w", plain(err))
	}
	failed := map[string]bool{}
	if partial != nil {
		for gv := range partial.Groups {
			failed[gv.Group] = true
		}
	}
	served, preferred := readKinds(groups, lists)
	for gvk, old := range k.served {
		if failed[gvk.Group] && served[gvk] == nil {
			served[gvk] = old
			preferred[gvk.GroupKind()] = cmp.Or(preferred[gvk.GroupKind()], old)
		}
	}
	k.served, k.preferred, k.failed, k.refreshed = served, preferred, failed, time.Now()
	return nil
}

// readKinds are the kinds of a discovery by version, and the one of each kind's preferred version.
func readKinds(groups []*metav1.APIGroup, lists []*metav1.APIResourceList,
) (map[schema.GroupVersionKind]*kind, map[schema.GroupKind]*kind) {
	preferredVersion := map[string]string{}
	for _, group := range groups {
		preferredVersion[group.Name] = group.PreferredVersion.Version
	}
	served, preferred := map[schema.GroupVersionKind]*kind{}, map[schema.GroupKind]*kind{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for i := range list.APIResources {
			k := readKind(gv, &list.APIResources[i])
			if k == nil {
				continue
			}
			served[k.gvk] = k
			if known := preferred[k.gvk.GroupKind()]; known == nil || gv.Version == preferredVersion[gv.Group] {
				preferred[k.gvk.GroupKind()] = k
			}
		}
	}
	return served, preferred
}

// readKind is nil for subresources and for kinds that cannot be patched or cannot be watched.
func readKind(gv schema.GroupVersion, r *metav1.APIResource) *kind {
	if strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "patch") || !slices.Contains(r.Verbs, "watch") {
		return nil
	}
	return &kind{gvk: gv.WithKind(r.Kind), resource: gv.WithResource(r.Name), namespaced: r.Namespaced}
}
