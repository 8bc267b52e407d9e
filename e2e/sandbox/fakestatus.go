package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"transom.dev/e2e/sandbox/memory"
)

// deployment is one that was written.
type deployment struct {
	cluster         *fakeCluster
	namespace, name string
}

// watchDeployments has Deployments that are written wait for their status.
func (f *fakeFleet) watchDeployments(c *fakeCluster) func(key string) {
	return func(key string) {
		parts := strings.Split(key, "/")
		if len(parts) == 4 && parts[1] == "deployments" {
			f.statuses <- deployment{c, parts[2], parts[3]}
		}
	}
}

// reportDeployments writes the statuses of Deployments as their controller would once all replicas are there.
func (f *fakeFleet) reportDeployments(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-f.statuses:
			if err := f.reportDeployment(ctx, d); err != nil {
				f.report("%s: report deployment %s/%s: %v", d.cluster.name, d.namespace, d.name, err)
			}
		}
	}
}

func (f *fakeFleet) reportDeployment(ctx context.Context, d deployment) error {
	path := "/apis/apps/v1/namespaces/" + d.namespace + "/deployments/" + d.name
	answer, err := f.ask(ctx, d.cluster, http.MethodGet, path, "", "")
	if err != nil || answer.Code == http.StatusNotFound {
		return err
	}
	var found appsv1.Deployment
	if err := json.Unmarshal(answer.Body.Bytes(), &found); err != nil {
		return err
	}
	if found.Status.ObservedGeneration == found.Generation {
		return nil
	}
	replicas := int32(1)
	if found.Spec.Replicas != nil {
		replicas = *found.Spec.Replicas
	}
	status, err := json.Marshal(map[string]any{"status": appsv1.DeploymentStatus{
		ObservedGeneration: found.Generation, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: "True", Reason: "MinimumReplicasAvailable"},
			{Type: appsv1.DeploymentProgressing, Status: "True", Reason: "NewReplicaSetAvailable"},
		},
	}})
	if err != nil {
		return err
	}
	return f.do(ctx, d.cluster, http.MethodPatch, path+"/status?fieldManager=kube-controller-manager", "application/merge-patch+json", string(status))
}

// do makes a request of a cluster, which has to succeed.
func (f *fakeFleet) do(ctx context.Context, c *fakeCluster, method, path, contentType, body string) error {
	answer, err := f.ask(ctx, c, method, path, contentType, body)
	if err == nil && answer.Code >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %d: %s", method, path, answer.Code, answer.Body)
	}
	return err
}

// ask makes a request of a cluster without the network.
func (f *fakeFleet) ask(ctx context.Context, c *fakeCluster, method, path, contentType, body string) (*httptest.ResponseRecorder, error) {
	r, err := http.NewRequestWithContext(memory.Within(ctx, &c.objects), method, path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	r.RequestURI, r.RemoteAddr = path, "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+f.token)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, r)
	return answer, nil
}
