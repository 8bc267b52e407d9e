package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// buckets is the custom resource of the example platform. The sandbox has no cloud to make buckets in, so a stand-in
// writes the status that the real controller would.
var buckets = schema.GroupVersionResource{Group: "storage.acme.example", Version: "v1alpha1", Resource: "buckets"}

const (
	bucketDelay = time.Second // how long a bucket takes to make
	bucketRetry = time.Second // how long until a missing CRD is looked for again
)

// runBuckets is the stand-in controller. It returns when ctx is done; until the CRD is there, and whenever it or the
// API server goes away, it tries again.
func runBuckets(ctx context.Context, config *rest.Config) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return // the same configuration has made a client before
	}
	for ctx.Err() == nil {
		_ = followBuckets(ctx, client.Resource(buckets)) // every error is a reason to try again
		select {
		case <-ctx.Done():
		case <-time.After(bucketRetry):
		}
	}
}

// followBuckets finishes all buckets there are, and every change of one, until the watch ends.
func followBuckets(ctx context.Context, client dynamic.NamespaceableResourceInterface) error {
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list buckets: %w", err)
	}
	changes, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return fmt.Errorf("watch buckets: %w", err)
	}
	defer changes.Stop()

	var finishing sync.WaitGroup
	defer finishing.Wait()
	for _, bucket := range list.Items {
		finishing.Go(func() { finish(ctx, client, &bucket) })
	}
	for change := range changes.ResultChan() {
		if bucket, ok := change.Object.(*unstructured.Unstructured); ok && change.Type != watch.Deleted {
			finishing.Go(func() { finish(ctx, client, bucket) })
		}
	}
	return nil
}

// finish writes a bucket's status once the bucket would have been made, unless it is of this generation already.
func finish(ctx context.Context, client dynamic.NamespaceableResourceInterface, bucket *unstructured.Unstructured) {
	observed, _, _ := unstructured.NestedInt64(bucket.Object, "status", "observedGeneration")
	if observed == bucket.GetGeneration() {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(bucketDelay):
	}
	status, err := json.Marshal(map[string]any{"status": bucketStatus(bucket)})
	if err != nil {
		return // cannot be: it is made of strings and numbers
	}
	// The bucket may be gone by now. If it is the API server that is gone, so is the watch, and all begins anew.
	_, _ = client.Namespace(bucket.GetNamespace()).Patch(ctx, bucket.GetName(), types.MergePatchType, status,
		metav1.PatchOptions{FieldManager: "bucket-controller"}, "status")
}

// bucketStatus is the status that a bucket gets: it is there, unless its region is nowhere.
func bucketStatus(bucket *unstructured.Unstructured) map[string]any {
	region, _, _ := unstructured.NestedString(bucket.Object, "spec", "region")
	condition := map[string]any{
		"type":               "Ready",
		"status":             "True",
		"reason":             "Available",
		"message":            "the bucket is there",
		"observedGeneration": bucket.GetGeneration(),
		"lastTransitionTime": metav1.Now().UTC().Format(time.RFC3339),
	}
	status := map[string]any{
		"observedGeneration": bucket.GetGeneration(),
		"ready":              true,
		"phase":              "Ready",
		"endpoint":           fmt.Sprintf("https://%s-%s.%s.storage.acme.example", bucket.GetNamespace(), bucket.GetName(), region),
		"conditions":         []any{condition},
	}
	if region == "nowhere" {
		condition["status"] = "False"
		condition["reason"] = "InvalidRegion"
		condition["message"] = fmt.Sprintf("there is no region %q", region)
		status["ready"], status["phase"], status["endpoint"] = false, "Failed", nil
	}
	return status
}
