package main_test

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/ptr"
)

// TestFakeAndRealServersBehaveAlike asks the same of a real API server and of one that keeps its objects in memory.
func TestFakeAndRealServersBehaveAlike(t *testing.T) {
	t.Parallel()
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		behaves(t, up(t, "--clusters=dev", "--api-only"), "dev")
	})
	t.Run("fake", func(t *testing.T) {
		t.Parallel()
		r := fake(t, 2)
		behaves(t, r, "edge-0001")
		_, err := r.client(t, "edge-0000").CoreV1().Namespaces().Get(t.Context(), "lists", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "clusters are apart: %v", err)
	})
}

// fake starts fake clusters.
func fake(t *testing.T, clusters int) *running {
	t.Helper()
	dir := t.TempDir()
	r := launch(t, dir, exec.Command(binary, "fake", "--dir", dir, "--clusters", fmt.Sprint(clusters)))
	r.waitFor(t, "ready after")
	return r
}

func behaves(t *testing.T, r *running, cluster string) {
	client := r.client(t, cluster)
	for name, test := range map[string]func(*testing.T, kubernetes.Interface, string){
		"lists": listsInPages, "fields": ownsFields, "deletes": deletesUnderConditions, "watches": watchesFromARevision, "kinds": servesKinds,
	} {
		t.Run(name, func(t *testing.T) { test(t, client, newNamespace(t, client, name)) })
	}
	t.Run("metadata", func(t *testing.T) {
		alone, err := metadata.NewForConfig(r.config(t, cluster))
		require.NoError(t, err)
		found, err := alone.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).Get(t.Context(), "kube-system", metav1.GetOptions{})
		require.NoError(t, err)
		require.NotEmpty(t, found.UID)
	})
}

// settings makes a ConfigMap.
func settings(t *testing.T, client kubernetes.Interface, namespace, name string) *corev1.ConfigMap {
	t.Helper()
	made, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}, Data: map[string]string{"a": "1"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return made
}

func listsInPages(t *testing.T, client kubernetes.Interface, namespace string) {
	for i := range 5 {
		settings(t, client, namespace, fmt.Sprintf("m%d", i))
	}
	var names []string
	o := metav1.ListOptions{Limit: 2, LabelSelector: "name"}
	for {
		page, err := client.CoreV1().ConfigMaps(namespace).List(t.Context(), o)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Items), 2)
		require.NotEmpty(t, page.ResourceVersion)
		for _, m := range page.Items {
			names = append(names, m.Name)
		}
		if o.Continue = page.Continue; o.Continue == "" {
			break
		}
	}
	require.Equal(t, []string{"m0", "m1", "m2", "m3", "m4"}, names)
	one, err := client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=m3"})
	require.NoError(t, err)
	require.Len(t, one.Items, 1)
}

func ownsFields(t *testing.T, client kubernetes.Interface, namespace string) {
	maps := client.CoreV1().ConfigMaps(namespace)
	apply := func(by, value string, force bool) (*corev1.ConfigMap, error) {
		manifest := `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned"}, "data": {"a": "` + value + `"}}`
		return maps.Patch(t.Context(), "owned", types.ApplyPatchType, []byte(manifest), metav1.PatchOptions{FieldManager: by, Force: ptr.To(force)})
	}
	first, err := apply("one", "1", false)
	require.NoError(t, err)
	again, err := apply("one", "1", false)
	require.NoError(t, err)
	require.Equal(t, first.ResourceVersion, again.ResourceVersion, "nothing changed")
	_, err = apply("two", "2", false)
	require.True(t, apierrors.IsConflict(err), "%v", err)
	taken, err := apply("two", "2", true)
	require.NoError(t, err)
	require.Equal(t, "2", taken.Data["a"])
	require.Len(t, taken.ManagedFields, 1)
	require.Equal(t, "two", taken.ManagedFields[0].Manager)
	stale := first.DeepCopy()
	stale.Data["a"] = "3"
	_, err = maps.Update(t.Context(), stale, metav1.UpdateOptions{})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	_, err = maps.Patch(t.Context(), "bad", types.ApplyPatchType, []byte(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, "dat": {}}`),
		metav1.PatchOptions{FieldManager: "one", FieldValidation: "Strict"})
	require.Error(t, err)
	tried, err := maps.Patch(t.Context(), "tried", types.ApplyPatchType, []byte(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tried"}}`),
		metav1.PatchOptions{FieldManager: "one", DryRun: []string{metav1.DryRunAll}})
	require.NoError(t, err)
	_, err = maps.Get(t.Context(), tried.Name, metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

func deletesUnderConditions(t *testing.T, client kubernetes.Interface, namespace string) {
	maps := client.CoreV1().ConfigMaps(namespace)
	made := settings(t, client, namespace, "kept")
	other := types.UID("other")
	err := maps.Delete(t.Context(), "kept", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	made.Data["a"] = "2"
	changed, err := maps.Update(t.Context(), made, metav1.UpdateOptions{})
	require.NoError(t, err)
	err = maps.Delete(t.Context(), "kept", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &made.ResourceVersion}})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	changed.Finalizers = []string{"acme.example/wait"}
	changed, err = maps.Update(t.Context(), changed, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, maps.Delete(t.Context(), "kept", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &changed.ResourceVersion}}))
	ending, err := maps.Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotNil(t, ending.DeletionTimestamp)
	ending.Finalizers = nil
	_, err = maps.Update(t.Context(), ending, metav1.UpdateOptions{})
	require.NoError(t, err)
	_, err = maps.Get(t.Context(), "kept", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

func watchesFromARevision(t *testing.T, client kubernetes.Interface, namespace string) {
	maps := client.CoreV1().ConfigMaps(namespace)
	first := settings(t, client, namespace, "a")
	settings(t, client, namespace, "b")
	events, err := maps.Watch(t.Context(), metav1.ListOptions{LabelSelector: "name", ResourceVersion: first.ResourceVersion, AllowWatchBookmarks: true})
	require.NoError(t, err)
	defer events.Stop()
	next := func(kind watch.EventType, name string) {
		t.Helper()
		for event := range events.ResultChan() {
			if event.Type == watch.Bookmark {
				continue
			}
			require.Equal(t, kind, event.Type)
			require.Equal(t, name, event.Object.(*corev1.ConfigMap).Name)
			return
		}
		require.Fail(t, "the watch ended")
	}
	next(watch.Added, "b")
	unlabelled := first.DeepCopy()
	unlabelled.Labels = nil
	hidden, err := maps.Update(t.Context(), unlabelled, metav1.UpdateOptions{})
	require.NoError(t, err)
	next(watch.Deleted, "a") // it is not selected any more
	hidden.Labels = first.Labels
	_, err = maps.Update(t.Context(), hidden, metav1.UpdateOptions{})
	require.NoError(t, err)
	next(watch.Added, "a")
	require.NoError(t, maps.Delete(t.Context(), "b", metav1.DeleteOptions{}))
	next(watch.Deleted, "b")
}

func servesKinds(t *testing.T, client kubernetes.Interface, _ string) {
	groups, resources, err := client.Discovery().ServerGroupsAndResources()
	require.NoError(t, err)
	require.NotEmpty(t, groups)
	served := map[string]bool{}
	for _, list := range resources {
		for _, r := range list.APIResources {
			served[list.GroupVersion+" "+r.Name] = true
		}
	}
	for _, want := range []string{
		"v1 namespaces", "v1 configmaps", "v1 secrets", "v1 serviceaccounts", "v1 services", "v1 pods", "v1 events",
		"apps/v1 deployments", "apps/v1 deployments/status", "apps/v1 statefulsets", "events.k8s.io/v1 events",
	} {
		require.True(t, served[want], want)
	}
}

// TestAFakeForgets has a watch that begins before all that is remembered be told so.
func TestAFakeForgets(t *testing.T) {
	t.Parallel()
	r := fake(t, 2)
	client := r.client(t, "edge-0000")
	namespace := newNamespace(t, client, "many")
	first := settings(t, client, namespace, "first")
	for i := range 300 {
		settings(t, client, namespace, fmt.Sprintf("m%d", i))
	}
	events, err := client.CoreV1().ConfigMaps(namespace).Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	if err == nil {
		event := <-events.ResultChan()
		require.Equal(t, watch.Error, event.Type)
		err = apierrors.FromObject(event.Object)
	}
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
}

// TestAFakeReportsDeployments has a Deployment become available at each of its generations.
func TestAFakeReportsDeployments(t *testing.T) {
	t.Parallel()
	r := fake(t, 1)
	client := r.client(t, "edge-0000")
	namespace := newNamespace(t, client, "deployments")
	deploy(t, client, namespace, "web", "web:1")
	available := func(generation int64) {
		eventually(t, func() error {
			d, err := client.AppsV1().Deployments(namespace).Get(t.Context(), "web", metav1.GetOptions{})
			if err == nil && (d.Status.ObservedGeneration != generation || d.Status.AvailableReplicas != *d.Spec.Replicas) {
				err = fmt.Errorf("%+v", d.Status)
			}
			return err
		})
	}
	available(1)
	_, err := client.AppsV1().Deployments(namespace).Patch(t.Context(), "web", types.MergePatchType, []byte(`{"spec":{"replicas":5}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	available(2)
}

// TestFakesAreCopied has all clusters have the objects of the first, each with an identity of its own.
func TestFakesAreCopied(t *testing.T) {
	t.Parallel()
	r := fake(t, 3)
	first, last := r.client(t, "edge-0000"), r.client(t, "edge-0002")
	namespace := newNamespace(t, first, "copied")
	made := settings(t, first, namespace, "a")
	output, err := r.ask("copy")
	require.NoError(t, err, output)
	copied, err := last.CoreV1().ConfigMaps(namespace).Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, made.UID, copied.UID)
	identity := func(client kubernetes.Interface) types.UID {
		system, err := client.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
		require.NoError(t, err)
		return system.UID
	}
	require.NotEqual(t, identity(first), identity(last))
	copied.Data["a"] = "2"
	_, err = last.CoreV1().ConfigMaps(namespace).Update(t.Context(), copied, metav1.UpdateOptions{})
	require.NoError(t, err)
	unchanged, err := first.CoreV1().ConfigMaps(namespace).Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "1", unchanged.Data["a"])
}
