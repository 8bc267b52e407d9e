package preview_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
)

const shopManifest = "clusters/dev/payments/shop.yaml"

// change plans one file's way from one content to another.
func change(t *testing.T, deletion platform.Deletion, before, after string) ([]preview.Change, []preview.Caution) {
	t.Helper()
	release := &state.Release{Key: shop, Deletion: deletion}
	base := &render.Base{
		Releases: map[platform.RequestKey]*state.Release{shop: release},
		Files:    fstest.MapFS{shopManifest: {Data: []byte(before)}},
	}
	rendered := &render.State{Environment: "dev", Releases: base.Releases, Changes: map[string][]byte{shopManifest: []byte(after)}}
	if after == "" {
		rendered.Changes[shopManifest] = nil
	}
	changes, err := preview.Changes(base, rendered)
	require.NoError(t, err)
	return changes, preview.Cautions(base, rendered, changes)
}

func object(apiVersion, kind, rest string) string {
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata:\n  name: x\n" + rest
}

// TestPlanKnowsWhatCannotChangeInPlace checks the table of immutable fields.
func TestPlanKnowsWhatCannotChangeInPlace(t *testing.T) {
	for _, c := range []struct{ apiVersion, kind, before, after, fields string }{
		{"apps/v1", "Deployment", "spec: {selector: {matchLabels: {a: b}}}", "spec: {selector: {matchLabels: {a: c}}}", "spec.selector"},
		{"apps/v1", "Deployment", "spec: {replicas: 1}", "spec: {replicas: 2}", ""},
		{"apps/v1", "DaemonSet", "spec: {selector: {matchLabels: {a: b}}}", "spec: {selector: {matchLabels: {a: c}}}", "spec.selector"},
		{
			"apps/v1", "StatefulSet", "spec: {serviceName: a, volumeClaimTemplates: [1]}", "spec: {serviceName: b, volumeClaimTemplates: [2], podManagementPolicy: Parallel}",
			"spec.serviceName spec.podManagementPolicy spec.volumeClaimTemplates",
		},
		{"apps/v1", "StatefulSet", "spec: {replicas: 1}", "spec: {replicas: 1, podManagementPolicy: OrderedReady, updateStrategy: {type: OnDelete}}", ""},
		{"batch/v1", "Job", "spec: {template: {a: 1}}", "spec: {template: {a: 2}, parallelism: 3}", "spec.template"},
		{"batch/v1", "CronJob", "spec: {jobTemplate: {a: 1}}", "spec: {jobTemplate: {a: 2}}", ""},
		{"v1", "Service", "spec: {type: ClusterIP}", "spec: {clusterIP: None}", "spec.clusterIP"},
		{"serving.knative.dev/v1", "Service", "spec: {clusterIP: a}", "spec: {clusterIP: b}", ""},
		{"v1", "PersistentVolumeClaim", "spec: {resources: {requests: {storage: 10Gi}}}", "spec: {resources: {requests: {storage: 11Gi}}, volumeMode: Filesystem}", ""},
		{"v1", "PersistentVolumeClaim", "spec: {resources: {requests: {storage: 1Ti}}}", "spec: {resources: {requests: {storage: 999Gi}}, storageClassName: fast}", "spec.storageClassName spec.resources.requests.storage"},
		{"v1", "PersistentVolumeClaim", "spec: {resources: {requests: {storage: lots}}}", "spec: {resources: {requests: {storage: 1Gi}}}", ""},
		{"rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef: {name: a}", "roleRef: {name: b}", "roleRef"},
		{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "roleRef: {name: a}", "roleRef: {name: b}", "roleRef"},
		{"storage.k8s.io/v1", "StorageClass", "provisioner: a", "provisioner: b\nallowVolumeExpansion: true", "provisioner"},
		{"v1", "ConfigMap", "data: {a: b}", "data: {a: c}", ""},
		{"v1", "ConfigMap", "immutable: true\ndata: {a: b}", "immutable: true\ndata: {a: c}", "data"},
		{"v1", "Secret", "immutable: true\nstringData: {a: b}", "stringData: {a: b}", "immutable"},
		{"v1", "Secret", "data: {a: Yg==}", "type: Opaque\ndata: {a: Yg==}", ""},
		{"v1", "Secret", "data: {a: Yg==}", "type: kubernetes.io/tls\ndata: {a: Yg==}", "type"},
		{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec: {scope: Cluster}", "spec: {scope: Namespaced}", "spec.scope"},
		{"scheduling.k8s.io/v1", "PriorityClass", "value: 1", "value: 2", "value"},
	} {
		changes, cautions := change(t, "", object(c.apiVersion, c.kind, c.before+"\n"), object(c.apiVersion, c.kind, c.after+"\n"))
		require.Len(t, changes, 1)
		require.Equal(t, c.fields, strings.Join(changes[0].Immutable, " "), "%s: %s to %s", c.kind, c.before, c.after)
		if c.fields == "" {
			require.Equal(t, preview.Changed, changes[0].Action)
			require.Empty(t, cautions)
			continue
		}
		require.Equal(t, preview.Replaced, changes[0].Action)
		require.Len(t, cautions, 1)
		require.Equal(t, preview.Replacement, cautions[0].Danger)
		require.Contains(t, cautions[0].Message, c.kind+" x must be replaced: "+strings.Join(changes[0].Immutable, ", ")+
			" cannot change in place, and the cluster refuses it until the object is deleted")
	}
}

// TestCautionsKnowWhatApplyingDoesAboutAReplacement compares the Caution with the behaviour of fleet/apply.
func TestCautionsKnowWhatApplyingDoesAboutAReplacement(t *testing.T) {
	const replaceable = "  annotations: {transom.dev/replace: \"true\"}\n"
	const refused = ", and the cluster refuses it until the object is deleted"
	for _, c := range []struct{ before, after, want string }{
		{
			object("v1", "Service", "spec: {type: ClusterIP}\n"), object("v1", "Service", "spec: {clusterIP: None}\n"),
			refused + `; annotated transom.dev/replace: "true", it would be deleted and created anew`,
		},
		{
			object("v1", "Service", "spec: {type: ClusterIP}\n"), object("v1", "Service", replaceable+"spec: {clusterIP: None}\n"),
			", so it is deleted, with what it owns, and created anew",
		},
		{
			object("v1", "PersistentVolumeClaim", "spec: {storageClassName: a}\n"),
			object("v1", "PersistentVolumeClaim", replaceable+"spec: {storageClassName: b}\n"), refused,
		},
		{
			object("apps/v1", "StatefulSet", "spec: {serviceName: a, persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}}\n"),
			object("apps/v1", "StatefulSet", replaceable+"spec: {serviceName: b}\n"),
			refused + "; it is not, because the claims of its pods would go with it: retain those first",
		},
	} {
		changes, cautions := change(t, "", c.before, c.after)
		require.Len(t, cautions, 1)
		require.Equal(t, changes[0].Object()+" must be replaced: "+strings.Join(changes[0].Immutable, ", ")+" cannot change in place"+
			c.want+", on dev", cautions[0].Message)
	}
}

func TestCautionsKnowWhatRemovingDoesToData(t *testing.T) {
	const claims = "spec:\n  volumeClaimTemplates: [{metadata: {name: data}}]\n"
	const prunable = "  annotations: {transom.dev/prune: \"true\"}\n"
	for _, c := range []struct {
		name, object string
		deletion     platform.Deletion
		want         []string
	}{
		{"no data", object("v1", "ConfigMap", ""), "delete", []string{"deletion: deletes 1 object, on dev"}},
		{"claims stay", object("apps/v1", "StatefulSet", claims), "delete", []string{
			"data loss: StatefulSet x is deleted: the claims of its pods stay with their data, but nothing uses them, on dev",
			"deletion: deletes 1 object, on dev",
		}},
		{"claims go", object("apps/v1", "StatefulSet", claims+"  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}\n"), "delete", []string{
			"data loss: StatefulSet x is deleted, and the claims of its pods with their data, on dev", "deletion: deletes 1 object, on dev",
		}},
		{"no claims", object("apps/v1", "StatefulSet", ""), "delete", []string{"deletion: deletes 1 object, on dev"}},
		{"a claim", object("v1", "PersistentVolumeClaim", ""), "delete", []string{
			"data loss: PersistentVolumeClaim x is left behind: nothing manages or deletes it any more, on dev",
		}},
		{"a claim that may go", object("v1", "PersistentVolumeClaim", prunable), "delete", []string{
			"data loss: PersistentVolumeClaim x is deleted with what is in it, on dev", "deletion: deletes 1 object, on dev",
		}},
		{"a claim that is kept", object("v1", "PersistentVolumeClaim", prunable), "retain", []string{
			"data loss: PersistentVolumeClaim x is left behind: nothing manages or deletes it any more, on dev",
		}},
		{"a generated secret", object("v1", "Secret", "  annotations: {transom.dev/generate: password}\n"), "delete", []string{
			"data loss: Secret x is left behind: nothing manages or deletes it any more, on dev",
		}},
	} {
		_, cautions := change(t, c.deletion, c.object, "")
		var got []string
		for _, caution := range cautions {
			got = append(got, string(caution.Danger)+": "+caution.Message)
		}
		require.Equal(t, c.want, got, c.name)
	}
}

func TestRenamesPairWhatHasTheSameContent(t *testing.T) {
	key := func(team, name string) platform.RequestKey { return platform.RequestKey{Team: team, Name: name} }
	release := func(size int64) *state.Release {
		return &state.Release{Offering: "note", Version: "1.0.0", Request: &platform.RequestSpec{Parameters: map[string]any{"size": size}}}
	}
	base := &render.Base{Releases: map[platform.RequestKey]*state.Release{
		key("a", "one"): release(1), key("a", "two"): release(1), key("a", "three"): release(3), key("a", "four"): release(4),
		key("a", "old"): {Absent: true},
	}}
	after := &render.State{Releases: map[platform.RequestKey]*state.Release{
		key("a", "one"): {Absent: true}, key("a", "two"): {Absent: true}, key("a", "three"): {Absent: true}, key("a", "four"): release(4),
		key("a", "uno"): release(1), key("b", "two"): release(1), key("b", "three"): release(33), key("a", "old"): release(3),
	}}
	require.Equal(t, []preview.Rename{
		{From: key("a", "one"), To: key("a", "uno")},
		{From: key("a", "three"), To: key("a", "old")},
		{From: key("a", "two"), To: key("b", "two")},
	}, preview.Renames(base, after))
}

func TestPlanDigestNamesExactlyTheChange(t *testing.T) {
	files := map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")}
	digest := func(base *render.Base, files map[string][]byte) string {
		var r render.Renderer
		state, err := r.Render(with(t, files), "dev", base)
		require.NoError(t, err)
		d, err := preview.Digest(base, state)
		require.NoError(t, err)
		return d
	}
	first := digest(&render.Base{}, files)
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", first)
	require.Equal(t, first, digest(&render.Base{}, files))
	repo := &repository{}
	repo.render(t, with(t, files), "dev")
	base, err := render.ReadBase(repo.files)
	require.NoError(t, err)
	require.Empty(t, digest(base, files), "nothing changes")
	removed := digest(base, map[string][]byte{"requests/search/new.yaml": nil})
	require.NotEmpty(t, removed)
	changed := digest(base, map[string][]byte{shopFile: request("shop", "  parameters: {text: a}\n  environments: {dev: {}}\n")})
	other := digest(base, map[string][]byte{shopFile: request("shop", "  parameters: {text: b}\n  environments: {dev: {}}\n")})
	require.NotContains(t, []string{first, removed, other}, changed)
}
