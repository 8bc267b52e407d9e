package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"k8s.io/utils/lru"
)

// maxWriters bounds the identities whose clients are kept.
const maxWriters = 1024

// writers are the clients that write objects of instances, one for each identity. They share the connections of the cluster's client.
type writers struct {
	own *objectWriter // the daemon itself

	client *client
	config *rest.Config
	over   *http.Client
	others *lru.Cache // by account
}

func newWriters(c *client, cfg *rest.Config, over *http.Client) *writers {
	own := &objectWriter{client: c, metadata: c.metadata, dynamic: c.dynamic}
	return &writers{own: own, client: c, config: cfg, over: over, others: lru.New(maxWriters)}
}

// as returns the writer of an account. It never is the daemon's own: an account that is none is an error.
func (w *writers) as(a account) (*objectWriter, error) {
	if a.namespace == "" || a.name == "" {
		return nil, fmt.Errorf("%w: %q is no NAMESPACE/NAME of a ServiceAccount", errNoAccount, a)
	}
	if known, ok := w.others.Get(a); ok {
		return known.(*objectWriter), nil
	}
	over := *w.over
	over.Transport = transport.NewImpersonatingRoundTripper(transport.ImpersonationConfig{UserName: a.user()}, w.over.Transport)
	made := &objectWriter{client: w.client, account: a}
	var err error
	if made.metadata, err = metadata.NewForConfigAndClient(w.config, &over); err != nil {
		return nil, fmt.Errorf("connect as ServiceAccount %s: %w", a, err)
	}
	if made.dynamic, err = dynamic.NewForConfigAndClient(w.config, &over); err != nil {
		return nil, fmt.Errorf("connect as ServiceAccount %s: %w", a, err)
	}
	w.others.Add(a, made)
	return made, nil
}

// objectWriter makes the writes to objects as one identity: an account, or the daemon itself. Its requests are bounded as
// all others of the cluster. It reads nothing: the daemon reads as itself.
type objectWriter struct {
	client   *client
	account  account // none: the daemon itself
	metadata metadata.Interface
	dynamic  dynamic.Interface

	refused error // why nothing is written; nil: the API server decides
}

// patch writes to an object, and returns the metadata that it has then. The content says which UID or resourceVersion the write
// is bound to.
func (w *objectWriter) patch(ctx context.Context, k *kind, o Object, how types.PatchType, content any, options metav1.PatchOptions,
) (m *metav1.PartialObjectMetadata, err error) {
	err = w.send(ctx, o, content, func(ctx context.Context, body []byte) error {
		m, err = metadataOf(w.metadata, k, o.Namespace).Patch(ctx, o.Name, how, body, options)
		return err
	})
	return m, err
}

// patchWhole is patch with all fields of the object in the answer. It is for no Secret.
func (w *objectWriter) patchWhole(ctx context.Context, k *kind, o Object, how types.PatchType, content any, options metav1.PatchOptions,
) (u *unstructured.Unstructured, err error) {
	err = w.send(ctx, o, content, func(ctx context.Context, body []byte) error {
		u, err = wholeOf(w.dynamic, k, o.Namespace).Patch(ctx, o.Name, how, body, options)
		return err
	})
	return u, err
}

// send makes a request that writes a content to an object.
func (w *objectWriter) send(ctx context.Context, o Object, content any, write func(ctx context.Context, body []byte) error) error {
	body, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("encode %s: %w", o, err)
	}
	return w.request(ctx, func(ctx context.Context) error {
		began := time.Now()
		err := discreet(o, body, write(ctx, body))
		if err == nil {
			w.client.pace.wrote(time.Since(began))
		}
		return err
	})
}

// forced are the options of a server-side apply that takes fields from others. An apply is held against the schema of its object whatever the
// validation of fields: that would only have the API server parse the content once more, for names that come twice, which none of ours has.
func forced(dryRun ...string) metav1.PatchOptions {
	force := true
	return metav1.PatchOptions{FieldManager: manager, Force: &force, FieldValidation: metav1.FieldValidationIgnore, DryRun: dryRun}
}

// deleteAsRead deletes an object if it still is as it was read, and reads whether it is gone.
func (w *objectWriter) deleteAsRead(ctx context.Context, k *kind, o Object, l *live, how metav1.DeletionPropagation) (outcome, string, error) {
	uid := l.uid()
	err := w.request(ctx, func(ctx context.Context) error {
		return metadataOf(w.metadata, k, o.Namespace).Delete(ctx, o.Name, metav1.DeleteOptions{
			Preconditions:     &metav1.Preconditions{UID: &uid, ResourceVersion: &l.version},
			PropagationPolicy: &how,
		})
	})
	switch {
	case apierrors.IsNotFound(err):
	case apierrors.IsConflict(err):
		return pending, "", nil // it changed since it was read: the next visit reads it again
	case err != nil && answered(err):
		return pending, "the API server refused to delete it: " + err.Error(), nil
	case err != nil:
		return pending, "", fmt.Errorf("delete %s: %w", o, err)
	}
	there, err := w.client.readMetadata(ctx, k, o)
	switch {
	case errors.Is(err, errUnserved):
		return pending, "", nil
	case err != nil:
		return pending, "", err
	case there != nil && there.id == l.id:
		return pending, "", nil
	}
	return ended, "", nil
}

// request makes one request as the identity. A refusal says what gives the account the right.
func (w *objectWriter) request(ctx context.Context, do func(context.Context) error) error {
	if w.refused != nil {
		return w.refused
	}
	err := w.client.request(ctx, do)
	if w.account == (account{}) || !apierrors.IsForbidden(err) {
		return err
	}
	return w.denied(ctx, err)
}
