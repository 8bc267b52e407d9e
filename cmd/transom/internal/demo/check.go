package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/state"
)

// deletedDeployment is the object that the checks delete by hand.
var deletedDeployment = deployment{"search", "results-redis"}

// A deployment is the name of a Deployment, and thereby of the request that it belongs to.
type deployment struct{ namespace, name string }

func (k deployment) String() string { return "Deployment " + k.namespace + "/" + k.name }

// inspector looks at the API servers of the fleet, past the daemon.
type inspector struct {
	*Demo
	clients map[string]kubernetes.Interface
}

// checkAll runs the checks of --check, which follow the story.
func (i *inspector) checkAll(ctx context.Context) error {
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"look at every cluster", i.everywhere},
		{"trace a live object", i.trace},
		{"verify what state says", i.verify},
		{"delete an object by hand", i.deleteByHand},
	} {
		if i.screen.Live {
			i.screen.Show("  " + step.name)
		}
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	i.say("everything was seen, in %.0f s", time.Since(i.began).Seconds())
	return nil
}

// inspect connects to the API servers of the fleet.
func (d *Demo) inspect() (*inspector, error) {
	i := &inspector{Demo: d, clients: map[string]kubernetes.Interface{}}
	for _, cluster := range d.clusters() {
		config, err := clientcmd.BuildConfigFromFlags("", d.kubeconfig(cluster))
		if err != nil {
			return nil, fmt.Errorf("read the kubeconfig of %s: %w", cluster, err)
		}
		if i.clients[cluster], err = kubernetes.NewForConfig(config); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", cluster, err)
		}
	}
	return i, nil
}

// on returns a deployment as a cluster has it now.
func (i *inspector) on(ctx context.Context, cluster string, k deployment) (*appsv1.Deployment, error) {
	found, err := i.clients[cluster].AppsV1().Deployments(k.namespace).Get(ctx, k.name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cluster, err)
	}
	return found, nil
}

// image checks the image of a Deployment.
func image(want string) func(*appsv1.Deployment) error {
	return func(d *appsv1.Deployment) error {
		if has := d.Spec.Template.Spec.Containers[0].Image; has != want {
			return fmt.Errorf("it has the image %s, not %s", has, want)
		}
		return nil
	}
}

// available checks that a Deployment is rolled out and available.
func available(d *appsv1.Deployment) error {
	if d.Status.ObservedGeneration < d.Generation || d.Status.AvailableReplicas < *d.Spec.Replicas || d.Status.UpdatedReplicas < *d.Spec.Replicas {
		return fmt.Errorf("%d of %d replicas are available", d.Status.AvailableReplicas, *d.Spec.Replicas)
	}
	return nil
}

// everywhere checks that every Deployment of Transom is available on its cluster.
func (i *inspector) everywhere(ctx context.Context) error {
	since := time.Now()
	ours := metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=transom"}
	var seen []string
	for _, cluster := range i.clusters() {
		list, err := i.clients[cluster].AppsV1().Deployments("").List(ctx, ours)
		if err != nil {
			return fmt.Errorf("%s: %w", cluster, err)
		}
		if len(list.Items) == 0 {
			return fmt.Errorf("%s: there is no Deployment of ours", cluster)
		}
		for _, item := range list.Items {
			if err := available(&item); err != nil {
				return fmt.Errorf("%s: Deployment %s/%s is said to be healthy, but %w", cluster, item.Namespace, item.Name, err)
			}
		}
		seen = append(seen, fmt.Sprintf("%d on %s", len(list.Items), cluster))
	}
	i.took(since, "the API servers agree: Deployments are available, %s", strings.Join(seen, ", "))
	return nil
}

// trace checks that explain leads from a live object to the line of its request.
func (i *inspector) trace(ctx context.Context) error {
	since := time.Now()
	text, err := i.command(ctx, "explain", "deployment", deletedDeployment.name, "--namespace", deletedDeployment.namespace,
		"--kubeconfig", i.kubeconfig("prod-eu-1"), "--server", i.client.Server)
	if err != nil {
		return err
	}
	request := deletedDeployment.request()
	for _, want := range []string{state.ManifestFile("prod-eu-1", request), state.ReleaseFile(request), "requests/" + request.String() + ".yaml:"} {
		if !strings.Contains(text, want) {
			return fmt.Errorf("it does not lead to %s:\n%s", want, text)
		}
	}
	i.took(since, "%s on prod-eu-1 is traced to the line that asked for it:", deletedDeployment)
	i.say("%s", strings.TrimSpace(text))
	return nil
}

// verify renders every environment's state again from the contents that its Release files name, and compares it.
func (i *inspector) verify(ctx context.Context) error {
	for _, environment := range workspace.Environments(i.platform) {
		since := time.Now()
		text, err := i.command(ctx, "verify", environment, "--directory", i.repos.clone)
		if err != nil {
			return fmt.Errorf("%s: %w:\n%s", environment, err, text)
		}
		_, result, _ := strings.Cut(text, "✓ ")
		result, _, _ = strings.Cut(result, "\n")
		i.took(since, "verified: %s", result)
	}
	return nil
}

// command runs a command line of this binary and returns its output.
func (i *inspector) command(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := i.Transom(ctx, args, &out)
	return out.String(), err
}

// deleteByHand deletes a deployment past Transom and waits until it is back.
func (i *inspector) deleteByHand(ctx context.Context) error {
	cluster := i.clusters()[0]
	before, err := i.on(ctx, cluster, deletedDeployment)
	if err != nil {
		return err
	}
	if err := i.clients[cluster].AppsV1().Deployments(before.Namespace).Delete(ctx, before.Name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("%s: %w", cluster, err)
	}
	since := time.Now()
	var back time.Duration
	err = i.until(ctx, func(ctx context.Context) error {
		now, err := i.on(ctx, cluster, deletedDeployment)
		if err != nil || now.UID == before.UID {
			return errors.Join(fmt.Errorf("%s has not come back to %s", deletedDeployment, cluster), err)
		}
		if back == 0 {
			back = time.Since(since)
		}
		return available(now)
	})
	if err != nil {
		return err
	}
	i.took(since, "%s was deleted by hand on %s: back after %.1f s, and available", deletedDeployment, cluster, back.Seconds())
	return nil
}
