package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// What the checks change. It is all of examples/acme, but for the request that they add.
const (
	checkedFile  = "requests/payments/checkout.yaml"
	checkedImage = "registry.acme.example/payments/checkout"
	addedFile    = "requests/search/suggestions.yaml"
	addedRequest = `apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: suggestions}
spec:
  offering: cache
  version: "1"
  environments: {dev: {}, staging: {}, prod: {}}
`
)

var (
	checkedDeployment = deployment{"payments", "checkout-web"}
	addedDeployment   = deployment{"search", "suggestions-redis"}
	deletedDeployment = deployment{"search", "results-redis"}
)

// deployment names one, and thereby the request that it belongs to.
type deployment struct{ namespace, name string }

func (k deployment) String() string { return "Deployment " + k.namespace + "/" + k.name }

// inspector looks at the API servers of the fleet, past the daemon.
type inspector struct {
	*demo
	clients map[string]kubernetes.Interface
}

// checkAll is the unattended demo: each step changes something as a person would, and looks for it where it must show.
func (d *demo) checkAll(ctx context.Context) error {
	i, err := d.inspect()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"look at every cluster", i.everywhere},
		{"change a request", i.change},
		{"add a request", i.add},
		{"remove a request", i.removeAdded},
		{"break an image", i.breakImage},
		{"mend it", i.mend},
		{"delete an object by hand", i.deleteByHand},
	} {
		if d.screen.terminal {
			d.screen.show("  " + step.name)
		}
		if err := step.run(ctx); err != nil {
			d.screen.end()
			d.say("%s          %s: %v", d.paint.red("✗"), step.name, err)
			d.lastWords()
			return unwell
		}
	}
	d.say("everything was seen, in %.0f s", time.Since(d.began).Seconds())
	return nil
}

func (d *demo) inspect() (*inspector, error) {
	i := &inspector{demo: d, clients: map[string]kubernetes.Interface{}}
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

// live waits until a deployment is on every cluster as look wants it, and returns when it was on which.
func (i *inspector) live(ctx context.Context, k deployment, look func(*appsv1.Deployment) error) (string, error) {
	since, at := time.Now(), map[string]time.Duration{}
	err := i.until(ctx, func(ctx context.Context) error {
		var missing error
		for _, cluster := range i.clusters() {
			if at[cluster] > 0 {
				continue
			}
			found, err := i.on(ctx, cluster, k)
			if err == nil {
				err = look(found)
			}
			if err != nil {
				missing = errors.Join(missing, fmt.Errorf("%s on %s: %w", k, cluster, err))
				continue
			}
			at[cluster] = time.Since(since)
		}
		return missing
	})
	var times []string
	for _, cluster := range i.clusters() {
		times = append(times, fmt.Sprintf("%s after %.1f s", cluster, at[cluster].Seconds()))
	}
	return strings.Join(times, ", "), err
}

// done waits until every environment says that a commit is live and healthy there.
func (i *inspector) done(ctx context.Context, commit string) error {
	return i.until(ctx, func(ctx context.Context) error {
		for _, environment := range environments(i.platform) {
			p, err := i.progressOf(ctx, environment, commit)
			if err != nil {
				return err
			}
			if !p.Done {
				return errors.New(summary(p))
			}
		}
		return nil
	})
}

func (i *inspector) progressOf(ctx context.Context, environment, commit string) (p web.Progress, err error) {
	query := selection("", "", environment)
	query.Set("commit", commit)
	return p, i.client.get(ctx, "/api/v1/progress", query, &p)
}

func image(want string) func(*appsv1.Deployment) error {
	return func(d *appsv1.Deployment) error {
		if has := d.Spec.Template.Spec.Containers[0].Image; has != want {
			return fmt.Errorf("it has the image %s, not %s", has, want)
		}
		return nil
	}
}

func available(d *appsv1.Deployment) error {
	if d.Status.ObservedGeneration < d.Generation || d.Status.AvailableReplicas < *d.Spec.Replicas || d.Status.UpdatedReplicas < *d.Spec.Replicas {
		return fmt.Errorf("%d of %d replicas are available", d.Status.AvailableReplicas, *d.Spec.Replicas)
	}
	return nil
}

// everywhere looks at all that Transom says it put on the clusters.
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

// deploy pushes what was edited and waits until a deployment is live as it should be and status says so too.
func (i *inspector) deploy(ctx context.Context, message string, k deployment, look func(*appsv1.Deployment) error) error {
	commit, err := i.repos.push(ctx, message)
	if err != nil {
		return err
	}
	since := time.Now()
	times, err := i.live(ctx, k, look)
	if err != nil {
		return err
	}
	i.took(since, "%s: live on %s", message, times)
	if err := i.done(ctx, commit); err != nil {
		return err
	}
	i.took(since, "%s: status says healthy everywhere at commit %s", message, short(commit))
	return nil
}

func (i *inspector) change(ctx context.Context) error {
	if err := i.repos.edit(checkedFile, checkedImage+":1.4.0", checkedImage+":1.5.0"); err != nil {
		return err
	}
	return i.deploy(ctx, "checkout: release 1.5.0", checkedDeployment, image(checkedImage+":1.5.0"))
}

func (i *inspector) add(ctx context.Context) error {
	if err := i.repos.write(addedFile, addedRequest); err != nil {
		return err
	}
	return i.deploy(ctx, "search: ask for a cache of suggestions", addedDeployment, available)
}

func (i *inspector) removeAdded(ctx context.Context) error {
	if err := i.repos.remove(addedFile); err != nil {
		return err
	}
	commit, err := i.repos.push(ctx, "search: no suggestions after all")
	if err != nil {
		return err
	}
	since := time.Now()
	err = i.until(ctx, func(ctx context.Context) error {
		for _, cluster := range i.clusters() {
			if _, err := i.on(ctx, cluster, addedDeployment); !apierrors.IsNotFound(err) {
				return errors.Join(fmt.Errorf("%s is still on %s", addedDeployment, cluster), err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	i.took(since, "search: no suggestions after all: gone from %s", strings.Join(i.clusters(), ", "))
	return i.done(ctx, commit)
}

// breakImage ships an image that cannot be pulled and waits until status says so, down to the pod, on every cluster.
func (i *inspector) breakImage(ctx context.Context) error {
	if err := i.repos.edit(checkedFile, checkedImage+":1.5.0", checkedImage+":broken"); err != nil {
		return err
	}
	if _, err := i.repos.push(ctx, "checkout: release a broken image"); err != nil {
		return err
	}
	since, why := time.Now(), map[string]string{}
	err := i.until(ctx, func(ctx context.Context) error {
		var s status.Status
		if err := i.client.get(ctx, "/api/v1/status", selection("payments", "checkout", ""), &s); err != nil {
			return err
		}
		for _, in := range s.Instances {
			for _, p := range in.Placements {
				if p.Health != "Healthy" && (strings.Contains(p.Message, "ErrImagePull") || strings.Contains(p.Message, "ImagePullBackOff")) {
					why[p.Cluster] = p.Health + ": " + p.Message
				}
			}
		}
		for _, cluster := range i.clusters() {
			if why[cluster] == "" {
				return fmt.Errorf("status does not say why %s fails on %s", checkedDeployment, cluster)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	i.took(since, "checkout: release a broken image: status says why")
	for _, cluster := range i.clusters() {
		i.say("             %s: %s", cluster, why[cluster])
	}
	return i.neighbours(ctx)
}

// neighbours makes sure that nobody else is touched by what one request does.
func (i *inspector) neighbours(ctx context.Context) error {
	var s status.Status
	if err := i.client.get(ctx, "/api/v1/status", selection("", "", ""), &s); err != nil {
		return err
	}
	for _, in := range s.Instances {
		unwell := slices.IndexFunc(in.Placements, func(p status.Placement) bool { return p.Health != "Healthy" })
		if in.Request.String() != "payments/checkout" && unwell >= 0 {
			return fmt.Errorf("%s on %s is not healthy either: %s", in.Request, in.Placements[unwell].Cluster, in.Placements[unwell].Message)
		}
	}
	return nil
}

func (i *inspector) mend(ctx context.Context) error {
	if _, err := i.repos.git(ctx, i.repos.clone, "revert", "--no-edit", "HEAD"); err != nil {
		return err
	}
	if err := i.repos.edit(checkedFile, checkedImage+":1.5.0", checkedImage+":1.5.1"); err != nil {
		return err
	}
	return i.deploy(ctx, "checkout: release 1.5.1", checkedDeployment, func(d *appsv1.Deployment) error {
		return errors.Join(image(checkedImage+":1.5.1")(d), available(d))
	})
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
