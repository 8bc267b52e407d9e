package credential

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

const (
	clusterLabel = "transom.dev/cluster"           // of the Secrets that "transom cluster add" makes
	capiLabel    = "cluster.x-k8s.io/cluster-name" // of those that Cluster API makes
	secretKey    = "value"                         // where both have the kubeconfig

	pollEvery    = 15 * time.Second // how often the Secrets are asked for changes
	requestLimit = 10 * time.Second
)

// Secrets are the Secrets <cluster>-kubeconfig of one namespace of a management cluster, labelled with the name of their cluster:
// those of "transom cluster add", and those of Cluster API.
type Secrets struct {
	namespace string
	secrets   corev1.SecretInterface
	names     metadata.ResourceInterface

	mu    sync.Mutex
	known map[string]string // resourceVersion by cluster, as it was read or told of last
}

// OpenSecrets makes a client for the Secrets of a namespace. It makes no request.
func OpenSecrets(management *rest.Config, namespace string) (*Secrets, error) {
	management = Bound(management)
	core, err := corev1.NewForConfig(management)
	if err != nil {
		return nil, fmt.Errorf("connect to the management cluster: %w", err)
	}
	names, err := metadata.NewForConfig(management)
	if err != nil {
		return nil, fmt.Errorf("connect to the management cluster: %w", err)
	}
	return &Secrets{
		namespace: namespace, secrets: core.Secrets(namespace), known: map[string]string{},
		names: names.Resource(v1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace),
	}, nil
}

// Name is the Secret of a cluster, as people see it.
func (s *Secrets) Name(cluster string) string {
	return fmt.Sprintf("Secret %s/%s-kubeconfig", s.namespace, cluster)
}

func (s *Secrets) read(ctx context.Context, cluster string) (*entry, error) {
	name := s.Name(cluster)
	secret, err := s.secrets.Get(ctx, cluster+"-kubeconfig", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, &missingError{name + " is missing"}
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case secret.Labels[clusterLabel] != cluster && secret.Labels[capiLabel] != cluster:
		return nil, &missingError{fmt.Sprintf("%s has neither label %s nor %s with the name of the cluster", name, clusterLabel, capiLabel)}
	}
	s.mu.Lock()
	s.known[cluster] = secret.ResourceVersion
	s.mu.Unlock()
	return &entry{data: secret.Data[secretKey], source: name, replace: func(ctx context.Context, data []byte) error {
		changed := secret.DeepCopy() // with its resourceVersion: a Secret that changed meanwhile stays
		changed.Data[secretKey] = data
		if _, err := s.secrets.Update(ctx, changed, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return nil
	}}, nil
}

// Write makes or replaces the Secret of a cluster. One that is not labelled as Transom's is not touched.
func (s *Secrets) Write(ctx context.Context, cluster string, data []byte) error {
	found, err := s.secrets.Get(ctx, cluster+"-kubeconfig", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = s.secrets.Create(ctx, &v1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: cluster + "-kubeconfig", Labels: map[string]string{clusterLabel: cluster}},
			Data:       map[string][]byte{secretKey: data},
		}, metav1.CreateOptions{})
	case err == nil && found.Labels[clusterLabel] != cluster:
		return fmt.Errorf("%s is not Transom's: it lacks the label %s=%s", s.Name(cluster), clusterLabel, cluster)
	case err == nil:
		found.Data = map[string][]byte{secretKey: data}
		_, err = s.secrets.Update(ctx, found, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", s.Name(cluster), err)
	}
	return nil
}

// Watch calls changed with a cluster's name whenever its Secret came, went or has another resourceVersion than it was read with, until
// ctx is done. It tells failed why the Secrets cannot be listed now, and nil once they can be again. No contents are read.
func (s *Secrets) Watch(ctx context.Context, changed func(cluster string), failed func(error)) error {
	lost := false
	for ctx.Err() == nil {
		now, err := s.versions(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !lost:
			failed(err)
		case err == nil && lost:
			failed(nil)
		}
		if lost = err != nil; !lost {
			for _, cluster := range s.update(now) {
				changed(cluster)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait.Jitter(pollEvery, 0.3)):
		}
	}
	return nil
}

// versions are the resourceVersions of the Secrets by cluster.
func (s *Secrets) versions(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	for _, label := range []string{clusterLabel, capiLabel} {
		list, err := s.names.List(ctx, metav1.ListOptions{LabelSelector: label, ResourceVersion: "0"})
		if err != nil {
			return nil, fmt.Errorf("list the kubeconfigs in namespace %s of the management cluster: %w", s.namespace, err)
		}
		for i := range list.Items {
			o := &list.Items[i]
			if cluster, ok := strings.CutSuffix(o.Name, "-kubeconfig"); ok && o.Labels[label] == cluster {
				versions[cluster] = o.ResourceVersion
			}
		}
	}
	return versions, nil
}

// update remembers the resourceVersions that there are, and returns the clusters of which it is another one than before.
func (s *Secrets) update(now map[string]string) (clusters []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cluster, version := range now {
		if s.known[cluster] != version {
			clusters = append(clusters, cluster)
		}
	}
	for cluster := range s.known {
		if now[cluster] == "" {
			clusters = append(clusters, cluster)
		}
	}
	s.known = now
	return clusters
}
