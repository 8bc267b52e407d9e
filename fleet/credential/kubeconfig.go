package credential

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Exceptions are the contents of kubeconfigs that are refused unless the operator allows them.
var Exceptions = []string{"exec", "auth-provider", "files", "proxy", "insecure-tls"}

// renewable is the extension of the user of a kubeconfig whose token Transom made for itself, and may renew.
const renewable = "transom.dev/renew"

// maxBytes bounds one kubeconfig.
const maxBytes = 1 << 20

// A kubeconfig is the part of a kubeconfig that its current context uses.
type kubeconfig struct {
	whole   *api.Config
	cluster *api.Cluster
	user    *api.AuthInfo
	dir     string // that file references are relative to; empty: there are no files beside it
}

// parse reads a kubeconfig and returns its current context.
func parse(data []byte, source, dir string) (*kubeconfig, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("kubeconfig %s is longer than 1Mi", source)
	}
	whole, err := clientcmd.Load(data)
	if runtime.IsNotRegisteredError(err) || runtime.IsMissingKind(err) {
		return nil, fmt.Errorf("read kubeconfig %s: it is of another kind than Config; %s", source, another)
	}
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w; %s", source, err, another)
	}
	current := whole.Contexts[whole.CurrentContext]
	if current == nil {
		return nil, fmt.Errorf("kubeconfig %s: its current-context is %q, and its contexts are %q: set current-context to the one to use", source,
			whole.CurrentContext, slices.Sorted(maps.Keys(whole.Contexts)))
	}
	k := &kubeconfig{whole: whole, cluster: whole.Clusters[current.Cluster], user: whole.AuthInfos[current.AuthInfo], dir: dir}
	if current.AuthInfo == "" { // as where a proxy beside the daemon logs in
		k.user = &api.AuthInfo{}
	}
	if k.cluster == nil || k.user == nil {
		return nil, fmt.Errorf("kubeconfig %s: its context %q names cluster %q and user %q, which are not both there; %s", source,
			whole.CurrentContext, current.Cluster, current.AuthInfo, another)
	}
	return k, nil
}

// another says where a kubeconfig comes from that is right.
const another = `"transom cluster add" writes one`

// config is the client configuration of the kubeconfig, and an error where it has contents that are not among those allowed.
func (k *kubeconfig) config(source string, allowed []string) (*rest.Config, error) {
	for _, found := range k.exceptions() {
		if !slices.Contains(allowed, found.name) {
			return nil, fmt.Errorf("kubeconfig %s %s, which is refused: %s, or allow it with --allow-kubeconfig %s", source, found.fault, found.remedy, found.name)
		}
	}
	config, err := clientcmd.NewDefaultClientConfig(*k.whole, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", source, err)
	}
	config.UserAgent = "transom"
	config.QPS = -1 // concurrency is bounded instead, and the API server's own fairness does the rest
	return config, nil
}

// An exception is a content of a kubeconfig that the operator has to allow.
type exception struct{ name, fault, remedy string }

// exceptions lists the contents that have to be allowed. File references are resolved on the way.
func (k *kubeconfig) exceptions() (found []exception) {
	const ours = `use a token or a client certificate ("transom cluster add" makes one)`
	add := func(is bool, name, fault, remedy string) {
		if is {
			found = append(found, exception{name, fault, remedy})
		}
	}
	add(k.user.Exec != nil, "exec", "runs a program on this machine for its credential (users[].user.exec)", ours)
	add(k.user.AuthProvider != nil, "auth-provider", "names a plugin for its credential (users[].user.auth-provider)", ours)
	add(k.cluster.ProxyURL != "", "proxy", "goes through a proxy (clusters[].cluster.proxy-url)", "leave it out")
	add(k.cluster.InsecureSkipTLSVerify, "insecure-tls", "does not check who the API server is (clusters[].cluster.insecure-skip-tls-verify)",
		"give certificate-authority-data instead")
	add(unencrypted(k.cluster.Server), "insecure-tls", "does not encrypt (clusters[].cluster.server begins with http:)", "use https")
	if program := k.user.Exec; program != nil && strings.Contains(program.Command, "/") {
		k.resolve(&program.Command)
	}
	for _, file := range []*string{&k.cluster.CertificateAuthority, &k.user.ClientCertificate, &k.user.ClientKey, &k.user.TokenFile} {
		outside := k.resolve(file)
		add(outside, "files", fmt.Sprintf("reads %s, which is not beside it", *file), "put its content there, as certificate-authority-data and so on")
	}
	return found
}

// resolve makes a file reference absolute, and says whether it leads out of the directory of the kubeconfig.
func (k *kubeconfig) resolve(file *string) (outside bool) {
	if *file == "" {
		return false
	}
	if !filepath.IsAbs(*file) {
		*file = filepath.Join(k.dir, *file)
	}
	within, err := filepath.Rel(k.dir, *file)
	return k.dir == "" || err != nil || !filepath.IsLocal(within)
}

// unencrypted says whether a server is reached over a network without TLS.
func unencrypted(server string) bool {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// renews says whether the token is one that Transom may renew.
func (k *kubeconfig) renews() bool { return k.user.Extensions[renewable] != nil }

// withToken is the kubeconfig with another token.
func (k *kubeconfig) withToken(token string) ([]byte, error) {
	changed := k.whole.DeepCopy()
	changed.AuthInfos[changed.Contexts[changed.CurrentContext].AuthInfo].Token = token
	data, err := clientcmd.Write(*changed)
	if err != nil {
		return nil, errors.New("encode the kubeconfig") // the cause may have parts of it
	}
	return data, nil
}

// Renewable makes a kubeconfig with a token that Transom made for itself and renews.
func Renewable(cluster string, server *api.Cluster, token string) ([]byte, error) {
	config := api.NewConfig()
	config.Clusters[cluster], config.CurrentContext = server, cluster
	config.Contexts[cluster] = &api.Context{Cluster: cluster, AuthInfo: cluster}
	config.AuthInfos[cluster] = &api.AuthInfo{Token: token, Extensions: map[string]runtime.Object{
		renewable: &runtime.Unknown{Raw: []byte(`{}`), ContentType: runtime.ContentTypeJSON},
	}}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, errors.New("encode the kubeconfig")
	}
	return data, nil
}

// CheckExceptions refuses the name of an exception that there is not.
func CheckExceptions(allowed []string) error {
	for _, name := range allowed {
		if !slices.Contains(Exceptions, name) {
			return fmt.Errorf("there is no %q; it takes %s", name, strings.Join(Exceptions, ", "))
		}
	}
	return nil
}
