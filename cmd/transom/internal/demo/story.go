package demo

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// The subjects of the story. All of them are of examples/acme; another platform is shown without it.
const (
	toldOffering = "cache"
	toldVersion  = "1.0.0"
	goodVersion  = "1.1.0"
	badVersion   = "1.2.0"
	sickVersion  = "1.3.0" // it is ready, and who asks it gets errors
	goodImage    = "registry.acme.example/platform/redis:7.4.3"
	prodFile     = "environments/prod.yaml"
	asksPeople   = "approval: required"
	asksNobody   = "approval: none"
)

// told are the Deployments of the requests that follow the offering's newest version.
var told = []deployment{{"payments", "sessions-redis"}, {"search", "results-redis"}}

// request is the request that a deployment belongs to.
func (k deployment) request() platform.RequestKey {
	return platform.RequestKey{Team: k.namespace, Name: strings.TrimSuffix(k.name, "-redis")}
}

// hasStory reports whether a platform is the one that the story is about.
func hasStory(p *platform.Platform) bool {
	for _, k := range told {
		if !slices.ContainsFunc(p.Requests(), func(r *platform.Request) bool { return r.Key == k.request() }) {
			return false
		}
	}
	prod := p.Environments["prod"]
	return p.Environments["staging"] != nil && prod != nil && prod.Gates.Approval == "required" && p.Offerings[toldOffering] != nil
}

// tell tells how a version goes from dev to prod, and how a bad one comes back. Every line of it was seen on an API
// server, in a state repository or in status.
func (i *inspector) tell(ctx context.Context) error {
	if !hasStory(i.platform) {
		return nil
	}
	for _, chapter := range []struct {
		title string
		pages []func(context.Context) error
	}{
		{"From now on, prod asks a person", []func(context.Context) error{i.closeProd}},
		{"A version goes from dev to prod", []func(context.Context) error{i.publishGood, i.upToProd(goodVersion), i.approve(goodVersion), i.waves}},
		{"A bad version comes back by itself", []func(context.Context) error{i.publishBad, i.upToProd(badVersion), i.approve(badVersion), i.comesBack(badVersion), i.neverSeen(":broken")}},
		{"A version that is ready and answers 500 comes back, too", []func(context.Context) error{
			i.publishSick, i.upToProd(sickVersion), i.approve(sickVersion), i.comesBack(sickVersion), i.neverSeen(sickConfig),
		}},
	} {
		i.say("\n%s", i.paint.Bold(chapter.title))
		for _, page := range chapter.pages {
			if err := page(ctx); err != nil {
				return fmt.Errorf("%s: %w", strings.ToLower(chapter.title), err)
			}
		}
	}
	i.say("")
	return nil
}

// closeProd gives prod the gates of the example. It began without approvals, or its first releases would have wanted
// one each.
func (i *inspector) closeProd(ctx context.Context) error {
	if err := i.repos.edit(prodFile, asksNobody, asksPeople); err != nil {
		return err
	}
	commit, err := i.repos.push(ctx, "prod: a person approves what enters")
	if err != nil {
		return err
	}
	i.say("Merged into %s: gates: {%s}. What runs there stays.", prodFile, asksPeople)
	since := time.Now()
	if err := i.watch(ctx, func(s status.Status) error {
		for _, e := range s.Environments {
			if e.Commit != commit {
				return fmt.Errorf("%s has not seen commit %s yet", e.Name, terminal.Short(commit))
			}
		}
		return nil
	}); err != nil {
		return err
	}
	i.took(since, "every environment knows")
	return nil
}

// publishGood merges a version that works.
func (i *inspector) publishGood(ctx context.Context) error {
	err := i.repos.copyVersion(toldOffering, toldVersion, goodVersion, map[string][2]string{
		"deployment.yaml": {"redis:7.4.2", "redis:7.4.3"},
	})
	if err != nil {
		return err
	}
	i.say("The platform team merges %s/%s, with Redis 7.4.3. Two requests ask for version \"1\": %s and %s.",
		toldOffering, goodVersion, told[0].request(), told[1].request())
	_, err = i.repos.push(ctx, toldOffering+": publish "+goodVersion)
	return err
}

// publishBad publishes a version whose prod differs: neither dev nor staging can find out.
func (i *inspector) publishBad(ctx context.Context) error {
	err := i.repos.copyVersion(toldOffering, goodVersion, badVersion, map[string][2]string{
		"version.yaml":    {"  computed:\n", "  components:\n  - {path: components/metrics, when: 'environment.name == \"prod\"'}\n  computed:\n"},
		"deployment.yaml": {"  replicas: 1\n", "  replicas: 1\n  progressDeadlineSeconds: 10\n"},
	})
	if err != nil {
		return err
	}
	if err := i.repos.write(path.Join("offerings", toldOffering, badVersion, "components/metrics/kustomization.yaml"), metrics); err != nil {
		return err
	}
	i.say("They merge %s/%s: in prod, a metrics sidecar. Its image was never pushed, which nobody notices: dev and staging have none.",
		toldOffering, badVersion)
	_, err = i.repos.push(ctx, toldOffering+": publish "+badVersion)
	return err
}

// publishSick publishes a version that becomes ready everywhere, and that its consumers cannot work with.
func (i *inspector) publishSick(ctx context.Context) error {
	err := i.repos.copyVersion(toldOffering, goodVersion, sickVersion, map[string][2]string{
		"redis.conf": {"maxmemory-policy allkeys-lru", sickConfig},
	})
	if err != nil {
		return err
	}
	i.say("They merge %s/%s, with \"%s\". Its pods become ready, and the services that write to a full cache answer 500: in prod alone it is full.",
		toldOffering, sickVersion, sickConfig)
	_, err = i.repos.push(ctx, toldOffering+": publish "+sickVersion)
	return err
}

// metrics is the Component that only prod gets. The sandbox starts no image of this tag.
const metrics = `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Deployment, name: redis}
  patch: |
    - op: add
      path: /spec/template/spec/containers/-
      value: {name: metrics, image: registry.acme.example/platform/redis-metrics:broken, resources: {limits: {memory: 32Mi}}}
`

// upToProd waits until a version is healthy in staging and waits for prod, and says why it waits.
func (i *inspector) upToProd(version string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, step := range []struct{ environment, how string }{
			{"dev", "one consumer first, then the other"},
			{"staging", "by itself, after its soak in dev"},
		} {
			since := time.Now()
			if err := i.watch(ctx, func(s status.Status) error { return everyoneRuns(s, step.environment, version) }); err != nil {
				return err
			}
			if err := i.agree(ctx, step.environment); err != nil {
				return err
			}
			i.took(since, "%s runs %s %s: %s", step.environment, toldOffering, version, step.how)
		}
		since := time.Now()
		var why status.Gate
		if err := i.watch(ctx, func(s status.Status) (err error) { why, err = asked(s, version); return err }); err != nil {
			return err
		}
		i.took(since, "prod waits at the gate %s: %s", why.Name, why.Reason)
		return nil
	}
}

// approve merges the file that admits a version to prod.
func (i *inspector) approve(version string) func(context.Context) error {
	return func(ctx context.Context) error {
		name := toldOffering + "-" + strings.ReplaceAll(version, ".", "-")
		file := "decisions/prod/" + name + ".yaml"
		text := fmt.Sprintf("apiVersion: %s\nkind: Approval\nmetadata: {name: %s}\nspec: {offering: %s, version: %s}\n",
			platform.APIVersion, name, toldOffering, version)
		if err := i.repos.write(file, text); err != nil {
			return err
		}
		i.say("Somebody who may merges %s:", file)
		for line := range strings.Lines(text) {
			i.say("    %s", i.paint.Faint(strings.TrimSuffix(line, "\n")))
		}
		_, err := i.repos.push(ctx, fmt.Sprintf("prod: approve %s %s", toldOffering, version))
		return err
	}
}

// waves waits for a version on prod's clusters, one wave after the other.
func (i *inspector) waves(ctx context.Context) error {
	for n, cluster := range []string{"prod-eu-1", "prod-us-1"} {
		since := time.Now()
		if err := i.watch(ctx, func(status.Status) error {
			for _, k := range told {
				found, err := i.on(ctx, cluster, k)
				if err == nil {
					err = errors.Join(image(goodImage)(found), available(found))
				}
				if err != nil {
					return fmt.Errorf("%s on %s: %w", k, cluster, err)
				}
			}
			return nil
		}); err != nil {
			return err
		}
		i.took(since, "%s runs %s %s: %s", cluster, toldOffering, goodVersion,
			[]string{"the first wave", "the second wave, once the first had been healthy for its soak"}[n])
	}
	return i.watch(ctx, func(s status.Status) error { return everyoneRuns(s, "prod", goodVersion) })
}

// comesBack waits until a version failed in prod and the release of before runs again, and says why.
func (i *inspector) comesBack(version string) func(context.Context) error {
	return func(ctx context.Context) error {
		since := time.Now()
		var failed status.Failure
		if err := i.watch(ctx, func(s status.Status) error {
			for _, k := range told {
				if in := find(s, "prod", k); in != nil && len(failuresOf(in, version)) > 0 {
					failed = cause(failuresOf(in, version))
					return nil
				}
			}
			return fmt.Errorf("%s %s has not failed yet", toldOffering, version)
		}); err != nil {
			return err
		}
		i.took(since, "it failed on %s, in the first wave, and is not tried again by itself:", failed.Cluster)
		i.say("           %s", i.paint.Faint(strings.TrimPrefix(failed.Message, failed.Cluster+": ")))
		since = time.Now()
		if err := i.watch(ctx, func(s status.Status) error { return everyoneRuns(s, "prod", goodVersion) }); err != nil {
			return err
		}
		if err := errors.Join(i.agree(ctx, "prod"), i.sameBytes(ctx, failed.Cluster)); err != nil {
			return err
		}
		i.took(since, "%s is back there, byte for byte, and healthy", goodVersion)
		return nil
	}
}

// neverSeen makes sure that the second wave was never given the version that has a text.
func (i *inspector) neverSeen(text string) func(context.Context) error {
	return func(ctx context.Context) error {
		since := time.Now()
		for cluster, want := range map[string]bool{"prod-eu-1": true, "prod-us-1": false} {
			commits, err := i.repos.git(ctx, i.prod(), "log", "-S", text, "--format=%h", "main", "--", state.ClusterDir(cluster))
			if err != nil {
				return err
			}
			if (commits != "") != want {
				return fmt.Errorf("the history of %s's state has the bad version in %q", cluster, commits)
			}
		}
		i.took(since, "prod-us-1, in the second wave, never saw it: its history in %s has no trace", i.prod())
		return nil
	}
}
