package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Kubeconfigs is a Connect that reads the file <cluster>.kubeconfig of a directory each time, so that a rotated file
// is used at the next connection.
func Kubeconfigs(dir string) func(ctx context.Context, cluster string) (*rest.Config, error) {
	return func(_ context.Context, cluster string) (*rest.Config, error) {
		file := filepath.Join(dir, cluster+".kubeconfig")
		loaded, err := clientcmd.LoadFromFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no kubeconfig for cluster %s: %s is missing; it is used as soon as it is there", cluster, file)
		}
		if err != nil {
			return nil, fmt.Errorf("read kubeconfig %s: %w", file, err)
		}
		if err := clientcmd.ResolveLocalPaths(loaded); err != nil {
			return nil, fmt.Errorf("resolve paths in kubeconfig %s: %w", file, err)
		}
		config, err := clientcmd.NewDefaultClientConfig(*loaded, &clientcmd.ConfigOverrides{}).ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("kubeconfig %s: %w", file, err)
		}
		config.UserAgent = "transom"
		config.QPS = -1 // concurrency is bounded instead, and the API server's own fairness does the rest
		return config, nil
	}
}
