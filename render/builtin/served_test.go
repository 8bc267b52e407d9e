package builtin_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/builtin"
)

func TestKubernetesMinorIsThatOfTheLibrary(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	minor := regexp.MustCompile(`k8s.io/api v0\.(\d+)\.`).FindSubmatch(text)
	require.NotNil(t, minor)
	require.Equal(t, strconv.Itoa(builtin.KubernetesMinor), string(minor[1]))
}

func TestUnservedKindsNameWhatToUse(t *testing.T) {
	for _, c := range []struct{ group, version, kind, says string }{
		{"batch", "v1", "CronJob", ""},
		{"batch", "v1beta1", "CronJob", "batch/v1beta1 CronJob was removed in Kubernetes 1.25; use batch/v1"},
		{"extensions", "v1beta1", "Deployment", "extensions/v1beta1 Deployment was removed in Kubernetes 1.16; use apps/v1"},
		{"apiextensions.k8s.io", "v1beta1", "CustomResourceDefinition", "apiextensions.k8s.io/v1beta1 CustomResourceDefinition was removed in Kubernetes 1.22; use apiextensions.k8s.io/v1"},
		{"apiextensions.k8s.io", "v1", "CustomResourceDefinition", ""},
		{"apps", "v2", "Deployment", "Kubernetes has no apps/v2 Deployment; use apps/v1"},
		{"", "v2", "Service", "Kubernetes has no v2 Service; use v1"},
		{"example.com", "v1", "Widget", ""},
	} {
		require.Equal(t, c.says, builtin.Unserved(c.group, c.version, c.kind), c.kind)
	}
}
