package apply

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// storageClasses remembers for a while how each class binds claims.
type storageClasses struct {
	mu     sync.Mutex
	byName map[string]storageClass
}

type storageClass struct {
	waits bool // binds a claim only once a pod uses it
	read  time.Time
}

var storageClassResource = schema.GroupVersionResource{
	Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses",
}

const storageClassAge = 10 * time.Minute

// bindsLate says whether claims of a class stay pending until a pod uses them.
func (s *storageClasses) bindsLate(ctx context.Context, c *client, name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.byName[name]; time.Since(known.read) < storageClassAge {
		return known.waits, nil
	}
	var mode string
	err := c.request(ctx, func(ctx context.Context) error {
		class, err := c.dynamic.Resource(storageClassResource).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			mode, _, _ = unstructured.NestedString(class.Object, "volumeBindingMode")
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read StorageClass %s: %w", name, err)
	}
	waits := mode == "WaitForFirstConsumer"
	s.byName[name] = storageClass{waits: waits, read: time.Now()}
	return waits, nil
}
