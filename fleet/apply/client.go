package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	appsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	eventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// ErrRequests is the error of a Look that would have had to make a request.
var ErrRequests = errors.New("requests to the cluster are needed")

// errUnserved is the error of a request or a watch whose kind the cluster stopped serving.
var errUnserved = errors.New("the cluster does not serve this kind any more")

// client makes the requests to one cluster. It bounds how many of them are under way at a time, and how long each may take.
type client struct {
	limits   Limits
	pace     *pace
	kinds    *kinds
	metadata metadata.Interface
	dynamic  dynamic.Interface
	core     corev1.CoreV1Interface
	apps     appsv1.AppsV1Interface
	events   eventsv1.EventsV1Interface
	writers  *writers
}

// dial makes the clients over one HTTP client.
func (c *client) dial(cfg *rest.Config, over *http.Client) error {
	disco, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, over)
	if err != nil {
		return err
	}
	c.kinds = &kinds{client: disco, limit: c.limits.DiscoveryBytes}
	if c.metadata, err = metadata.NewForConfigAndClient(cfg, over); err != nil {
		return err
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(cfg, over); err != nil {
		return err
	}
	typed := rest.CopyConfig(cfg)
	typed.ContentType = "application/vnd.kubernetes.protobuf"
	typed.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	if c.core, err = corev1.NewForConfigAndClient(typed, over); err != nil {
		return err
	}
	if c.apps, err = appsv1.NewForConfigAndClient(typed, over); err != nil {
		return err
	}
	if c.events, err = eventsv1.NewForConfigAndClient(typed, over); err != nil {
		return err
	}
	c.writers = newWriters(c, cfg, over)
	return nil
}

// looking is the key of a context in which no request is made.
type looking struct{}

// mayRequest fails in a Look.
func mayRequest(ctx context.Context) error {
	if ctx.Value(looking{}) != nil {
		return ErrRequests
	}
	return nil
}

// once is the key of a context whose requests are not made again where the server has too many.
type once struct{}

// Once has a request that is made with the context be made once: where the server has too many, that is the answer, and nobody waits for a better
// one.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, once{}, true) }

// request makes one request: it waits for its turn, and bounds the time the request may take.
func (c *client) request(ctx context.Context, do func(context.Context) error) error {
	if err := mayRequest(ctx); err != nil {
		return err
	}
	leaveDesk(ctx)
	if !c.pace.begin(ctx.Done()) {
		return ctx.Err()
	}
	defer c.pace.end()
	return c.requestWithin(ctx, do)
}

// requestWithin bounds the time that a request may take as a whole.
func (c *client) requestWithin(ctx context.Context, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, c.limits.Timeout)
	defer cancel()
	err := plain(do(bounded))
	var known *limitError
	if err != nil && bounded.Err() != nil && ctx.Err() == nil && !errors.As(err, &known) {
		return fmt.Errorf("no answer within %s (%w): is this the cluster's API server, and is it well? If it is, raise --cluster-timeout",
			c.limits.Timeout, err)
	}
	return err
}

// answered says whether an error is an answer of a working API server to this one request, rather than a sign that
// it cannot be asked now.
func answered(err error) bool {
	var status apierrors.APIStatus
	if errors.Is(err, errUnserved) || errors.Is(err, errNoAccount) {
		return true
	}
	if !errors.As(err, &status) {
		return false
	}
	if strings.HasPrefix(status.Status().Message, "failed to create typed patch object") {
		return true // an object that does not fit its schema is answered with 500
	}
	switch code := status.Status().Code; code {
	case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusRequestTimeout:
		return false
	default:
		return code >= 400 && code < 500
	}
}

// identify reads the UID of the kube-system namespace, which lives as long as the cluster. It waits for no turn.
func (c *client) identify(ctx context.Context) (string, error) {
	var system *v1.Namespace
	err := c.requestWithin(ctx, func(ctx context.Context) (err error) {
		ctx = spending(ctx, newBudget(c.limits.IdentityBytes, "--cluster-identity-bytes"))
		system, err = c.core.Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		return err
	})
	if err != nil {
		return "", err
	}
	if system.Name != metav1.NamespaceSystem || system.UID == "" {
		return "", errors.New("the answer is not the namespace kube-system; is this the cluster's API server?")
	}
	return string(system.UID), nil
}

// version reads which version of Kubernetes answers, for people alone: without an answer it is empty.
func (c *client) version(ctx context.Context) (version string) {
	_ = c.requestWithin(ctx, func(ctx context.Context) error {
		info, err := c.kinds.client.ServerVersionWithContext(ctx)
		if err == nil {
			version = info.GitVersion
		}
		return err
	})
	return version
}

// metadataOf is the client for the objects of one kind that transfers nothing but their metadata, in and out.
func (c *client) metadataOf(k *kind, namespace string) metadata.ResourceInterface {
	return metadataOf(c.metadata, k, namespace)
}

func metadataOf(of metadata.Interface, k *kind, namespace string) metadata.ResourceInterface {
	if k.namespaced {
		return of.Resource(k.resource).Namespace(namespace)
	}
	return of.Resource(k.resource)
}

// readMetadata reads the metadata of an object; nil if it does not exist.
func (c *client) readMetadata(ctx context.Context, k *kind, o Object) (*live, error) {
	var found *live
	err := c.request(ctx, func(ctx context.Context) error {
		m, err := c.metadataOf(k, o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		switch err := c.notServed(k, err); {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		}
		found = reduceMeta(k.gvk.GroupKind(), m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o, err)
	}
	return found, nil
}

// notServed tells apart that an object does not exist from that the server does not serve its kind at all, as while
// a CRD changes. That says nothing about the object; it is errUnserved.
func (c *client) notServed(k *kind, err error) error {
	if apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse) {
		c.kinds.forget(k)
		return errUnserved
	}
	return err
}

// kindGone says whether the cluster does not serve a kind and no CRD defines it any more.
func (c *client) kindGone(ctx context.Context, gk schema.GroupKind) (bool, error) {
	lacks, err := c.kinds.lacks(ctx, gk)
	if err != nil || !lacks {
		return false, err
	}
	gone := true
	err = c.request(ctx, func(ctx context.Context) error {
		all, err := c.metadata.Resource(crds.resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range all.Items {
			if !strings.HasSuffix(all.Items[i].Name, "."+gk.Group) {
				continue
			}
			crd, err := c.dynamic.Resource(crds.resource).Get(ctx, all.Items[i].Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind"); kind == gk.Kind {
				gone = false
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read the CRDs of %s: %w", gk.Group, err)
	}
	return gone, nil
}

// wholeOf is the client for the objects of one kind with all of their fields. It is for no Secret.
func (c *client) wholeOf(k *kind, namespace string) dynamic.ResourceInterface {
	return wholeOf(c.dynamic, k, namespace)
}

func wholeOf(of dynamic.Interface, k *kind, namespace string) dynamic.ResourceInterface {
	if k.namespaced {
		return of.Resource(k.resource).Namespace(namespace)
	}
	return of.Resource(k.resource)
}

// readWhole reads an object with all of its fields. It is for no Secret.
func (c *client) readWhole(ctx context.Context, k *kind, o Object) (u *unstructured.Unstructured, err error) {
	err = c.request(ctx, func(ctx context.Context) error {
		u, err = c.wholeOf(k, o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		return err
	})
	return u, err
}
