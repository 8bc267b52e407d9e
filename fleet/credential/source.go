package credential

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// A Source keeps kubeconfigs by cluster. *Directory and *Secrets are ones.
type Source interface {
	// read returns the kubeconfig of a cluster. Where it has none, the error is fs.ErrNotExist and says how to mend that.
	read(ctx context.Context, cluster string) (*entry, error)
}

// An entry is a kubeconfig as a Source keeps it.
type entry struct {
	data    []byte
	source  string // for people
	dir     string // that file references are relative to; empty: no files are beside it
	caution string // a fault of the way it is kept

	// replace writes other contents in one step, unless the contents are not these any more.
	replace func(ctx context.Context, data []byte) error
}

// Keys connects to clusters by the first of several sources that has a kubeconfig.
type Keys struct {
	Sources []Source
	Allowed []string // of Exceptions
}

// Connect reads how to reach a cluster, each time anew: the daemon's own one by its ServiceAccount, any other one by its
// kubeconfig. It makes no request to the cluster. An error that is fs.ErrNotExist says that nobody gives a way any more.
func (k Keys) Connect(ctx context.Context, cluster string, own bool) (*Credential, error) {
	if own {
		return inCluster(cluster)
	}
	var missing []string
	for _, source := range k.Sources {
		found, err := source.read(ctx, cluster)
		if err == nil {
			return k.use(found)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		missing = append(missing, err.Error())
	}
	return nil, &missingError{fmt.Sprintf("no kubeconfig for cluster %s: %s; it is used as soon as it is there", cluster, strings.Join(missing, "; "))}
}

// missingError is an error that is fs.ErrNotExist.
type missingError struct{ text string }

func (e *missingError) Error() string        { return e.text }
func (e *missingError) Is(target error) bool { return target == fs.ErrNotExist }

// use makes a credential of a kubeconfig.
func (k Keys) use(found *entry) (*Credential, error) {
	parsed, err := parse(found.data, found.source, found.dir)
	if err != nil {
		return nil, err
	}
	config, err := parsed.config(found.source, k.Allowed)
	if err != nil {
		return nil, err
	}
	c := &Credential{Config: config, Source: found.source, caution: found.caution}
	c.describe()
	if said, ok := claimsOf(config.BearerToken); ok && parsed.renews() && said.Kubernetes.ServiceAccount.Name != "" {
		c.renew = func(ctx context.Context) error { return renew(ctx, c, parsed, said, found) }
	}
	c.explainRefusals()
	return c, nil
}

// renew asks the cluster for another token of the same ServiceAccount and lifetime, and writes it over the old one,
// which stays good until its own expiry whatever happens here.
func renew(ctx context.Context, c *Credential, k *kubeconfig, said claims, at *entry) error {
	account := said.Kubernetes
	token, err := RequestToken(ctx, c.Config, account.Namespace, account.ServiceAccount.Name, c.Expires.Sub(c.Issued))
	if err != nil {
		return err
	}
	data, err := k.withToken(token)
	if err != nil {
		return err
	}
	return at.replace(ctx, data)
}

// RequestToken asks a cluster for a token of a ServiceAccount. The cluster may give it a shorter life.
func RequestToken(ctx context.Context, config *rest.Config, namespace, account string, lifetime time.Duration) (string, error) {
	client, err := corev1.NewForConfig(Bound(config))
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	seconds := int64(lifetime.Round(time.Second).Seconds())
	answer, err := client.ServiceAccounts(namespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token of ServiceAccount %s/%s: %w", namespace, account, err)
	}
	return answer.Status.Token, nil
}

// inCluster is the credential of the pod that the daemon runs in.
func inCluster(cluster string) (*Credential, error) {
	config, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, fmt.Errorf("clusters/%s.yaml has inCluster: true, but the daemon runs in no cluster: KUBERNETES_SERVICE_HOST is not set", cluster)
	}
	if err != nil {
		return nil, fmt.Errorf("read the ServiceAccount that the daemon runs as: %w", err)
	}
	config.UserAgent, config.QPS = "transom", -1
	c := &Credential{Config: config, Source: config.BearerTokenFile, kept: true}
	c.describe()
	c.explainRefusals()
	return c, nil
}

// Peek returns the address that the kubeconfig of a cluster leads to, and whether its token is one that Transom made for itself. A
// source that has none is fs.ErrNotExist.
func Peek(ctx context.Context, source Source, cluster string) (server string, ours bool, err error) {
	found, err := source.read(ctx, cluster)
	if err != nil {
		return "", false, err
	}
	parsed, err := parse(found.data, found.source, found.dir)
	if err != nil {
		return "", false, err
	}
	return parsed.cluster.Server, parsed.renews(), nil
}
