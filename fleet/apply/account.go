package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/platform"
)

// Accounts name the ServiceAccounts as which the objects of instances are written, so that the rights which a cluster gives
// them bound what an instance may bring. The daemon itself reads, keeps inventories, and writes the namespace file of a team.
type Accounts struct {
	// Name is that of the ServiceAccount for the objects of a namespaced version, in the namespace of each object.
	Name string

	// ClusterScoped is that for the objects of a cluster-scoped version, as NAMESPACE/NAME; empty: none may be written.
	ClusterScoped string
}

// errNoAccount is the error of a write for which there is no account to make it. It is never made as the daemon instead.
var errNoAccount = errors.New("there is no ServiceAccount to write it as")

// account is a ServiceAccount of a cluster.
type account struct{ namespace, name string }

// String is the form NAMESPACE/NAME.
func (a account) String() string { return a.namespace + "/" + a.name }

// user is the name by which an API server knows a ServiceAccount.
func (a account) user() string { return "system:serviceaccount:" + a.namespace + ":" + a.name }

// accountOf is the account that writes an object of an instance, whose version has a scope.
func (in *Instance) accountOf(o Object, scope platform.Scope) (account, error) {
	if scope != platform.ClusterScoped && o.Namespace != "" {
		return account{o.Namespace, in.Accounts.Name}, nil
	}
	if in.Accounts.ClusterScoped == "" {
		return account{}, fmt.Errorf("%w: environment %s writes objects as ServiceAccounts, and names none for cluster-scoped versions; "+
			"set spec.impersonate.clusterScoped", errNoAccount, in.Environment)
	}
	namespace, name, _ := strings.Cut(in.Accounts.ClusterScoped, "/")
	return account{namespace, name}, nil
}

// deniedError is the API server's word that an account may not do something, with a remedy.
type deniedError struct {
	error
	remedy string
}

// Unwrap is the API server's answer.
func (e *deniedError) Unwrap() error { return e.error }

// Error is the answer with the remedy.
func (e *deniedError) Error() string { return e.error.Error() + "; " + e.remedy }

// denied adds a remedy to a refusal that is about the rights of the account, and not about the object.
func (w *objectWriter) denied(ctx context.Context, err error) error {
	switch message := statusOf(err).Message; {
	case strings.Contains(message, "cannot impersonate"):
		return &deniedError{err, fmt.Sprintf("the daemon may not act as ServiceAccount %s: apply the rights that "+
			`"transom install --rights" prints`, w.account)}
	case !strings.Contains(message, w.account.user()+`" cannot `):
		return err
	}
	missing := apierrors.IsNotFound(w.client.request(ctx, func(ctx context.Context) error {
		_, err := w.client.core.ServiceAccounts(w.account.namespace).Get(ctx, w.account.name, metav1.GetOptions{})
		return err
	}))
	if missing {
		return &deniedError{err, fmt.Sprintf("there is no ServiceAccount %s: create it, and bind it to a role with these rights", w.account)}
	}
	return &deniedError{err, fmt.Sprintf("bind ServiceAccount %s to a role with the verbs create, patch and delete for it, "+
		"or leave it out of the request", w.account)}
}

// remedyOf is the remedy of a refusal that has one, to follow the API server's answer.
func remedyOf(err error) string {
	var denied *deniedError
	if errors.As(err, &denied) {
		return "; " + denied.remedy
	}
	return ""
}

// grantedWithin is the time in which an API server takes in the rights that come with a namespace file.
const grantedWithin = 10 * time.Second
