package apply_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// verdict is a proof that always says the same.
type verdict struct {
	held  string
	err   error
	asked int
	rests int
}

func (v *verdict) Withheld(context.Context) (string, error) { v.asked++; return v.held, v.err }
func (v *verdict) Rest()                                    { v.rests++ }

// TestWhatIsNotProvenIsNotWritten: neither another revision, nor the objects that it would have pruned, nor a removal. An
// instance at rest needs no proof, and is mended whoever changes it.
func TestWhatIsNotProvenIsNotWritten(t *testing.T) {
	r := newRig(t, &apiOnly)
	doubt := &verdict{held: "nobody knows who wrote it"}
	in := r.instance("web", documents(configMap("a", "1"), configMap("b", "1")))
	in.Proof = doubt
	result := r.visit(in)
	require.Equal(t, doubt.held, result.Withheld)
	require.Equal(t, doubt.held, result.Message)
	require.Equal(t, state.Unknown, result.Health)
	require.False(t, result.Settled)
	require.Empty(t, writes(r.calls.take()))

	in.Proof = &verdict{}
	r.healthy(in)
	r.quiet()
	doubt.asked = 0
	in.Proof = doubt
	require.Empty(t, r.visit(in).Withheld)
	require.Positive(t, doubt.rests)
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "a", "application/merge-patch+json",
		[]byte(`{"data":{"value":"theirs"}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	r.told(in.Owner)
	require.Len(t, r.visit(in).Changes, 1, "it is mended")
	require.Zero(t, doubt.asked)

	r.quiet()
	r.calls.take()
	for name, other := range map[string]apply.Instance{
		"other bytes": r.instance("web", documents(configMap("a", "2"), configMap("b", "1"))),
		"less":        r.instance("web", configMap("a", "1")),
		"removed":     {Owner: in.Owner, Namespace: in.Namespace, Absent: true},
	} {
		other.Proof = doubt
		result := r.visit(other)
		require.Equal(t, doubt.held, result.Withheld, name)
		require.False(t, result.Settled, name)
		require.Empty(t, result.Changes, name)
	}
	require.Empty(t, writes(r.calls.take()))

	in.Manifests, in.Absent, in.Proof = nil, true, &verdict{err: errors.New("git does not answer")}
	_, err = r.Apply(t.Context(), in)
	require.ErrorContains(t, err, "git does not answer")
	in.Proof = &verdict{}
	r.until(in, func(result apply.Result) bool { return result.Settled && len(result.Changes) > 0 })
}
