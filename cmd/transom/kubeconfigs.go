package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"transom.dev/fleet/credential"
)

// allowKubeconfigFlag adds the flag that lets kubeconfigs do more than have an address and a credential.
func allowKubeconfigFlag(f *pflag.FlagSet, allowed *[]string) {
	f.StringSliceVar(allowed, "allow-kubeconfig", nil, "what kubeconfigs may have that is refused otherwise: "+strings.Join(credential.Exceptions, ", "))
}

// managementConfig reads how to reach the management cluster: by a context of a kubeconfig, or as the pod that this runs in.
func managementConfig(kubeconfig, contextName string) (*rest.Config, error) {
	if kubeconfig == "" && contextName == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("reach the management cluster: %w; name its kubeconfig with --management-kubeconfig", err)
		}
		return config, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: contextName}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig of the management cluster: %w", err)
	}
	return config, nil
}
