package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// givenDeployment is given the endpoint of a Bucket, and a password that Git has sealed. Its Secret has the same name.
var givenDeployment = deployment{"search", "handbook-pages"}

// givenBucket is the path of that Bucket in the API.
const givenBucket = "/apis/storage.acme.example/v1alpha1/namespaces/search/buckets/snapshots-bucket"

// handedOn checks that a Deployment has the endpoint which the Bucket's controller says, and its Secret a value.
func (i *inspector) handedOn(ctx context.Context) error {
	since, cluster := time.Now(), i.clusters()[0]
	raw, err := i.clients[cluster].CoreV1().RESTClient().Get().AbsPath(givenBucket).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", cluster, err)
	}
	var bucket struct{ Status struct{ Endpoint string } }
	if err := json.Unmarshal(raw, &bucket); err != nil {
		return fmt.Errorf("%s: %s: %w", cluster, givenBucket, err)
	}
	found, err := i.on(ctx, cluster, givenDeployment)
	if err != nil {
		return err
	}
	given := ""
	for _, env := range found.Spec.Template.Spec.Containers[0].Env {
		if env.Name == "DOWNLOADS" {
			given = env.Value
		}
	}
	if given == "" || given != bucket.Status.Endpoint {
		return fmt.Errorf("%s on %s has the endpoint %q, and the Bucket is at %q", givenDeployment, cluster, given, bucket.Status.Endpoint)
	}
	secret, err := i.clients[cluster].CoreV1().Secrets(givenDeployment.namespace).Get(ctx, givenDeployment.name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("%s: %w", cluster, err)
	}
	if len(secret.Data["password"]) == 0 {
		return fmt.Errorf("%s: Secret %s/%s has no password", cluster, givenDeployment.namespace, givenDeployment.name)
	}
	i.took(since, "%s on %s has the endpoint that its Bucket was given, %s, and the password that Git has sealed", givenDeployment, cluster, given)
	return nil
}
