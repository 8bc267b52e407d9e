package fleet_test

import (
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// doubts counts how often the fleet asked for the state.
func (h *tour) doubts() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.doubted
}

func (s fakeSite) overtake(o apply.Owner, value string) {
	s.set(func(c *fakeCluster) { c.held[o], c.others[o] = revision(o, value), time.Now() })
	s.happen(o)
}

func (s realSite) overtake(o apply.Owner, value string) {
	config, err := fleet.Kubeconfigs(s.dir)(s.t.Context(), "a")
	require.NoError(s.t, err)
	other, err := apply.Connect(s.t.Context(), config, apply.Options{})
	require.NoError(s.t, err)
	defer other.Close()
	result, err := other.Apply(s.t.Context(), apply.Instance{
		Owner: o, Namespace: o.Team, NamespaceManifest: namespace(o), Scope: platform.Namespaced,
		Manifests: configMap(o, value), Revision: revision(o, value),
	})
	require.NoError(s.t, err)
	require.NotEmpty(s.t, result.Changes, "%+v", result)
}

func (s fakeSite) occupy(o apply.Owner, more ...string) {
	s.set(func(c *fakeCluster) { c.taken[o], c.laden[o] = true, len(more) > 0 })
}

func (s realSite) occupy(o apply.Owner, more ...string) {
	data := map[string]string{"value": "theirs"}
	for _, name := range more {
		data[name] = "theirs"
	}
	_, err := s.settings(o).Create(s.t.Context(), &v1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: o.Request + "-settings"}, Data: data,
	}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(s.t, err)
}
