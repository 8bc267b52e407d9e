// Package enroll makes a cluster a member of the fleet: a ServiceAccount with rights on it, and a kubeconfig with a token of that.
//
// In come a client configuration of somebody who may give rights on the cluster, and the rights that a platform needs; out comes a kubeconfig that
// was tried. Every step can be repeated: a call that was interrupted is finished by the next one. Nothing is deleted, and no object
// that others keep is taken from them.
package enroll

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"transom.dev/cmd/transom/internal/installation"
	"transom.dev/fleet/credential"
)

const (
	fieldManager = "transom-cluster-add"
	patience     = 20 * time.Second // for new rights to be known to every API server
	requestLimit = 30 * time.Second
)

// A Member is a cluster that becomes one.
type Member struct {
	Name         string
	Admin        *rest.Config         // of somebody who may give rights there
	Server       *api.Cluster         // how the daemon reaches it
	Rights       *installation.Rights // that the platform needs there
	ClusterRoles []string             // further ones to bind the account to
	Lifetime     time.Duration        // of the token; the cluster may give it a shorter one
}

// Open reads a context of a kubeconfig as kubectl does: it is a person's own, and may run a program to log in.
func Open(kubeconfig, contextName string) (*Member, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: contextName})
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w; name one with --kubeconfig", err)
	}
	admin, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w; name one with --kubeconfig, and its context with --context", err)
	}
	if contextName == "" {
		contextName = raw.CurrentContext
	}
	server, err := serverOf(&raw, contextName)
	if err != nil {
		return nil, err
	}
	admin.Timeout = requestLimit
	admin.Wrap(credential.NoRedirects)
	return &Member{Admin: admin, Server: server}, nil
}

// serverOf is the address of a context's cluster, with its certificate authority inside.
func serverOf(raw *api.Config, contextName string) (*api.Cluster, error) {
	found := raw.Contexts[contextName]
	if found == nil || raw.Clusters[found.Cluster] == nil {
		return nil, fmt.Errorf("the kubeconfig has no cluster for context %q", contextName)
	}
	from := raw.Clusters[found.Cluster]
	switch {
	case from.InsecureSkipTLSVerify:
		return nil, fmt.Errorf("context %s does not check who the API server is (insecure-skip-tls-verify), and the daemon shall: "+
			"give certificate-authority-data instead", contextName)
	case from.ProxyURL != "":
		return nil, fmt.Errorf("context %s goes through a proxy (proxy-url), which the daemon's kubeconfig shall not name: use one that "+
			"reaches the API server", contextName)
	}
	server := &api.Cluster{Server: from.Server, TLSServerName: from.TLSServerName, CertificateAuthorityData: from.CertificateAuthorityData}
	if len(server.CertificateAuthorityData) == 0 && from.CertificateAuthority != "" {
		data, err := os.ReadFile(from.CertificateAuthority)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority of context %s: %w", contextName, err)
		}
		server.CertificateAuthorityData = data
	}
	return server, nil
}

// Grant makes the account and gives it its rights. An object that somebody else keeps, and that differs, is an error.
func (m *Member) Grant(ctx context.Context) error {
	objects, err := m.objects()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(m.Admin)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", m.Admin.Host, err)
	}
	for _, o := range objects {
		resource := o.GroupVersionKind().GroupVersion().WithResource(resourceOf(o))
		_, err := client.Resource(resource).Namespace(o.GetNamespace()).Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: fieldManager})
		if apierrors.IsConflict(err) {
			return fmt.Errorf("%s %s is kept by somebody else and differs, so it stays as it is: %w", o.GetKind(), o.GetName(), err)
		}
		if err != nil {
			return fmt.Errorf("apply %s %s on %s: %w", o.GetKind(), o.GetName(), m.Admin.Host, err)
		}
	}
	return nil
}

// Issued is a kubeconfig that works, and the answer of the cluster when it was tried.
type Issued struct {
	Kubeconfig []byte
	UID        string // of the kube-system namespace
	Version    string
	Expires    time.Time // of the token
}

// Issue makes a kubeconfig with a new token of the account, and tries the token.
func (m *Member) Issue(ctx context.Context) (*Issued, error) {
	token, err := credential.RequestToken(ctx, m.Admin, namespace, account, m.Lifetime)
	if err != nil {
		return nil, err
	}
	issued := &Issued{Expires: credential.Expiry(token)}
	if issued.Kubeconfig, err = credential.Renewable(m.Name, m.Server, token); err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(m.Admin)
	config.BearerToken = token
	config.Wrap(credential.NoRedirects)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", m.Admin.Host, err)
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		system, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		if err != nil {
			last = err
			return false, nil
		}
		issued.UID = string(system.UID)
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("try the new token on %s: %w", m.Admin.Host, errors.Join(last, ctx.Err()))
	}
	if version, err := client.Discovery().ServerVersion(); err == nil {
		issued.Version = version.GitVersion
	}
	return issued, nil
}
