package apply_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

func (r *rig) claim(name string) *corev1.PersistentVolumeClaim {
	r.Helper()
	c, err := r.kube.CoreV1().PersistentVolumeClaims(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	return c
}

// offered is an instance whose one object is a claim of an offering.
func (r *rig) offered(request, offering string) apply.Instance {
	in := r.instance(request, strings.Replace(claim("data", ""), "{name: data", "{name: data, labels: {transom.dev/offering: "+offering+"}", 1))
	in.State.Commit = "c0ffee"
	in.Deletion = platform.DeletionConfirm
	return in
}

// wrote makes visits until all is written. A claim is never bound here.
func (r *rig) wrote(in apply.Instance) apply.Result {
	r.Helper()
	return r.until(in, func(result apply.Result) bool { return len(result.Changes)+len(result.Problems) > 0 })
}

// removed makes visits until nothing is left of an instance.
func (r *rig) removed(in apply.Instance) (changes []apply.Change) {
	r.Helper()
	r.until(absent(in), func(result apply.Result) bool {
		changes = append(changes, result.Changes...)
		return result.Settled
	})
	return changes
}

// requireKept says that a claim is nobody's and remembers whose it was.
func (r *rig) requireKept(name, from, of string) {
	r.Helper()
	c := r.claim(name)
	require.Empty(r, c.Labels)
	for _, e := range c.ManagedFields {
		require.NotEqual(r, "transom", e.Manager)
	}
	on, err := time.Parse(time.RFC3339, c.Annotations["transom.dev/kept-on"])
	require.NoError(r, err)
	require.WithinDuration(r, time.Now(), on, time.Hour)
	ours := maps.Clone(c.Annotations)
	maps.DeleteFunc(ours, func(key, _ string) bool {
		return !strings.HasPrefix(key, "transom.dev/") || key == "transom.dev/kept-on"
	})
	require.Equal(r, map[string]string{"transom.dev/kept-from": from, "transom.dev/kept-of": of}, ours)
}

func TestWhatARemovalKeepsIsLetGo(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.offered("web", "database")
	r.wrote(in)
	uid := r.claim("data").UID
	changes := r.removed(in)
	require.Len(t, changes, 1)
	require.Equal(t, apply.Kept, changes[0].Action)
	require.Empty(t, r.inventory("web"))
	r.requireKept("data", r.team+"/web@c0ffee", "test/database")

	// The same request of the same offering takes it back, and is told before.
	day := time.Now().UTC().Format(time.DateOnly)
	rehearsal, err := r.Rehearse(t.Context(), in)
	require.NoError(t, err)
	require.Len(t, rehearsal.Resumes, 1)
	require.Equal(t, "starts on the data kept on "+day, rehearsal.Resumes[0].Message)
	result := r.wrote(in)
	require.Empty(t, result.Problems)
	require.Equal(t, apply.Change{Object: changes[0].Object, Action: apply.Resumed, Reason: "starts on the data kept on " + day}, result.Changes[0])
	c := r.claim("data")
	require.Equal(t, uid, c.UID)
	require.Equal(t, "web", c.Labels["transom.dev/request"])
	require.NotContains(t, c.Annotations, "transom.dev/kept-from")
	r.quiet()
	r.calls.take()
	require.Empty(t, r.visit(in).Changes)
	require.Empty(t, writes(r.calls.take()))
	r.removed(in)
	r.requireKept("data", r.team+"/web@c0ffee", "test/database")
}

func TestWhatWasKeptIsAdoptedByOthers(t *testing.T) {
	for name, c := range map[string]struct{ request, offering string }{
		"another request":     {"shop", "database"},
		"of another offering": {"web", "store"},
		"of both":             {"shop", "store"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.wrote(r.offered("web", "database"))
			r.removed(r.offered("web", "database"))
			in := r.offered(c.request, c.offering)
			r.calls.take()
			result := r.wrote(in)
			require.Empty(t, writes(r.calls.take()))
			require.Len(t, result.Problems, 1)
			require.Contains(t, result.Problems[0].Message, "it was kept when a request was removed, web of team "+r.team+", on ")
			require.Contains(t, result.Problems[0].Message, "take it over with adopt: true in the request")
			require.NotContains(t, result.Problems[0].Message, "remove what")
			in.Adopt = true
			require.Equal(t, apply.Adopted, actions(r.wrote(in))["PersistentVolumeClaim data"])
			require.Equal(t, c.request, r.claim("data").Labels["transom.dev/request"])
			require.NotContains(t, r.claim("data").Annotations, "transom.dev/kept-from")
		})
	}
}

// A daemon before this one left the objects that it kept with the labels of the request that is gone.
func TestWhatWasKeptWithItsLabelsIsAdoptedByOthers(t *testing.T) {
	r := newRig(t, &apiOnly)
	old := r.offered("web", "database")
	r.wrote(old)
	forget := func() {
		require.NoError(t, r.kube.CoreV1().ConfigMaps("transom-system").Delete(t.Context(), "test."+r.team+".web", metav1.DeleteOptions{}))
		r.connect()
	}
	other := r.offered("shop", "database")
	result := r.wrote(other)
	require.Contains(t, result.Problems[0].Message, "it belongs to web of team "+r.team)
	other.Adopt = true
	require.Contains(t, r.wrote(other).Problems[0].Message, "it belongs to web of team "+r.team, "while it does, nobody takes it over")

	forget()
	other.Adopt = false
	require.Contains(t, r.wrote(other).Problems[0].Message, "it was kept when web of team "+r.team+" was removed from environment test")
	require.Contains(t, r.wrote(r.offered("web", "store")).Problems[0].Message, "it was kept when web")
	uid := r.claim("data").UID
	r.connect()
	other.Adopt = true
	require.Equal(t, apply.Adopted, actions(r.wrote(other))["PersistentVolumeClaim data"])
	require.Equal(t, uid, r.claim("data").UID)
	require.Equal(t, "shop", r.claim("data").Labels["transom.dev/request"])

	// And by the request that it was of, which needs to say nothing.
	r.removed(other)
	_, err := r.kube.CoreV1().PersistentVolumeClaims(r.team).Patch(t.Context(), "data", types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"transom","transom.dev/team":"`+r.team+`","transom.dev/request":"web","transom.dev/environment":"test","transom.dev/offering":"database"}}}`),
		metav1.PatchOptions{FieldManager: "transom"})
	require.NoError(t, err)
	require.Empty(t, r.wrote(old).Problems)
	require.Equal(t, uid, r.claim("data").UID)
}

func TestKilledWhileKeepingTheSameEnd(t *testing.T) {
	r := newRig(t, &apiOnly)
	content := func(name string) apply.Instance {
		in := r.instance(name, secret(name, ""))
		in.Deletion = platform.DeletionConfirm
		return in
	}
	killed := r.killedAtEveryWrite(content, func(name string) apply.Instance { return absent(content(name)) }, func(name string) {
		m, err := r.kube.CoreV1().Secrets(r.team).Get(background, name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Empty(t, m.Labels)
		require.Equal(t, r.team+"/"+name, m.Annotations["transom.dev/kept-from"])
		require.Empty(t, r.inventory(name))
	})
	require.Equal(t, 2, killed, "the object and the inventory")
}

func TestKilledWhileTakingBackTheSameEnd(t *testing.T) {
	r := newRig(t, &apiOnly)
	content := func(name string) apply.Instance {
		in := r.instance(name, secret(name, ""))
		in.Deletion = platform.DeletionConfirm
		return in
	}
	values := map[string]string{}
	from := func(name string) apply.Instance {
		if values[name] == "" {
			r.healthy(content(name))
			m, err := r.kube.CoreV1().Secrets(r.team).Get(background, name, metav1.GetOptions{})
			require.NoError(t, err)
			for _, value := range m.Data {
				values[name] = string(value)
			}
		}
		return absent(content(name))
	}
	killed := r.killedAtEveryWrite(from, content, func(name string) {
		m, err := r.kube.CoreV1().Secrets(r.team).Get(background, name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, name, m.Labels["transom.dev/request"])
		for _, value := range m.Data {
			require.Equal(t, values[name], string(value), "the value that was generated once")
		}
	})
	require.Equal(t, 3, killed, "the inventory, the object, and what it remembered")
}

func TestAnEmptyInventoryGoes(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.healthy(in)
	gone := absent(in)
	gone.Recorded = true
	r.until(gone, func(result apply.Result) bool { return result.Settled })
	inventories := func() int {
		all, err := r.kube.CoreV1().ConfigMaps("transom-system").List(t.Context(), metav1.ListOptions{LabelSelector: "transom.dev/team=" + r.team})
		require.NoError(t, err)
		return len(all.Items)
	}
	require.Equal(t, 1, inventories(), "it is to remember the soak of the removal")
	r.connect()
	owners, err := r.Owners(t.Context(), "test")
	require.NoError(t, err)
	require.Contains(t, owners, in.Owner)
	gone.Recorded = false
	r.healthy(gone)
	require.Zero(t, inventories())
}
