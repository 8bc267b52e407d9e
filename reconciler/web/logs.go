package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/access"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// Bounds of the logs that one request reads.
const (
	mostLogs     = 20               // containers
	mostLogBytes = 8 << 20          // of all their lines
	mostLine     = 16 << 10         // bytes of a line
	logTime      = 30 * time.Second // where it is not followed
	defaultTail  = 200
)

// MostTail is how many of the latest lines of a container may be asked for. The tag maximum of logParameters says it, too.
const MostTail = 10000

// Runtime shows the pods of placements, as the clusters have them now.
type Runtime interface {
	Pods(ctx context.Context, at api.Placement) ([]api.Pod, error)
	Happenings(ctx context.Context, at api.Placement) ([]api.Happening, error)
	ReadLog(ctx context.Context, at api.Placement, l api.Log, read func(io.Reader) error) error
}

// Parameters of a placement, and of its logs.
type (
	placementPath struct {
		instancePath
		Cluster string `query:"cluster" doc:"The cluster; it can be left out where there is one."`
	}
	logParameters struct {
		placementPath
		Pod       string `query:"pod" doc:"Only this pod."`
		Container string `query:"container" doc:"Only this container; those that prepare a pod have to be named."`
		Tail      int    `query:"tail" minimum:"1" maximum:"10000" doc:"So many of the latest lines of each container; 200 where it is left out."`
		Follow    bool   `query:"follow" doc:"Also the lines to come, for up to a quarter of an hour; an empty line now and then keeps the connection."`
		Previous  bool   `query:"previous" doc:"The log before the last restart."`
	}
)

// check is part of readParameters.
func (p logParameters) check() error {
	if p.Follow && p.Previous {
		return refuse(http.StatusBadRequest, "follow= and previous= are both there: the log before a restart has ended, and no line of it is to come").
			mendedBy("leave one of follow= and previous= out")
	}
	return nil
}

// liveReader answers about placements as the clusters have them now.
type liveReader struct{ *server }

// shown are the operations about pods.
func shown(s *server) []operation {
	p := &liveReader{s}
	const route = "/api/v1/instances/{environment}/{team}/{request}"
	return append(shownManifests(p, route), []operation{
		asking(route+"/pods", "The pods of a placement, where its environment says logs: true", func(r *http.Request, at placementPath) ([]api.Pod, error) {
			return look(p, r, at, p.runtimePods)
		}),
		asking(route+"/events", "The Kubernetes Events about a placement, the latest first, where its environment says logs: true",
			func(r *http.Request, at placementPath) ([]api.Happening, error) {
				return look(p, r, at, p.runtimeHappenings)
			}),
		{
			route: route + "/logs", summary: "The logs of a placement's pods, a JSON object a line, where its environment says logs: true",
			parameters: reflect.TypeFor[logParameters](), line: reflect.TypeFor[api.Line](), media: "application/x-ndjson", handler: get(p.logs),
		},
	}...)
}

func (p *liveReader) runtimePods(ctx context.Context, at api.Placement) ([]api.Pod, error) {
	return p.Runtime.Pods(ctx, at)
}

func (p *liveReader) runtimeHappenings(ctx context.Context, at api.Placement) ([]api.Happening, error) {
	return p.Runtime.Happenings(ctx, at)
}

// look asks about a placement.
func look[T any](p *liveReader, r *http.Request, path placementPath, ask func(context.Context, api.Placement) ([]T, error)) ([]T, error) {
	at, err := p.find(r.Context(), path)
	if err != nil {
		return nil, err
	}
	all, err := question(p, r, func(ctx context.Context) ([]T, error) { return ask(ctx, at) })
	if err != nil {
		return nil, err
	}
	if all == nil {
		all = []T{}
	}
	return all, nil
}

// find finds a placement that whoever asks may look into.
func (p *liveReader) find(ctx context.Context, path placementPath) (at api.Placement, err error) {
	all := p.Board.Status()
	if err := mayLook(access.Of(ctx), all.Platform, path); err != nil {
		return at, err
	}
	if p.Runtime == nil {
		return at, refuse(http.StatusNotFound, "this daemon shows no pods").mendedBy("ask the clusters themselves")
	}
	return placementIn(all, path)
}

// placementIn finds a placement of a status.
func placementIn(all status.Status, path placementPath) (at api.Placement, err error) {
	i := slices.IndexFunc(all.Instances, func(in status.Instance) bool {
		return in.Environment == path.Environment && in.Request == path.key()
	})
	if i < 0 {
		return at, refuse(http.StatusNotFound, "there is no %s in environment %s", path.key(), wording.Shorten(path.Environment))
	}
	var names []string
	for _, one := range all.Instances[i].Placements {
		names = append(names, one.Cluster)
		if one.Cluster == path.Cluster || path.Cluster == "" {
			at = api.Placement{Environment: path.Environment, Cluster: one.Cluster, Request: path.key(), Objects: one.Objects}
		}
	}
	switch {
	case len(names) == 0:
		return at, refuse(http.StatusNotFound, "%s is on no cluster of environment %s yet", path.key(), wording.Shorten(path.Environment))
	case path.Cluster == "" && len(names) > 1:
		return at, refuse(http.StatusBadRequest, "%s runs on several clusters: say cluster=, one of %s", path.key(), listWords(names, "and")).
			mendedBy("add cluster= to the query")
	case at.Cluster == "":
		return at, refuse(http.StatusNotFound, "%s is on no cluster %s%s", path.key(), wording.Shorten(path.Cluster), wording.Suggest(path.Cluster, names))
	}
	return at, nil
}

// mayLook refuses whoever is no developer of the team, and an environment whose file does not say that logs are shown.
func mayLook(who access.Identity, known status.Platform, path placementPath) error {
	if !who.In(path.Team) {
		return refuse(http.StatusForbidden, "%s, and logs of %s are for its developers", who, wording.Shorten(path.Team))
	}
	if err := unread(known); err != nil {
		return err
	}
	return isShown(known.Offers(), path)
}

// isShown refuses an environment whose file does not say that logs are shown.
func isShown(offers *platform.Platform, path placementPath) error {
	if offers == nil || offers.Environments[path.Environment] == nil {
		var names []string
		if offers != nil {
			names = slices.Sorted(maps.Keys(offers.Environments))
		}
		return refuse(http.StatusNotFound, "there is no environment %s%s", wording.Shorten(path.Environment), wording.Suggest(path.Environment, names))
	}
	if e := offers.Environments[path.Environment]; !e.Logs {
		return refuse(http.StatusForbidden, "environment %s does not show logs; for that, merge spec.logs: true in %s", e.Name, e.File).
			mendedBy("merge spec.logs: true in %s; that shows logs to the developers of each team", e.File)
	}
	return nil
}

func (p *liveReader) logs(w http.ResponseWriter, r *http.Request) error {
	asked, err := readParameters[logParameters](r)
	if err != nil {
		return err
	}
	at, err := p.find(r.Context(), asked.placementPath)
	if err != nil {
		return err
	}
	leave, err := p.looks.enter(r)
	if err != nil {
		return err
	}
	defer leave()
	most := logTime
	if asked.Follow {
		most = streamTime
	}
	ctx, cancel := context.WithTimeout(r.Context(), most)
	defer cancel()
	pods, err := p.Runtime.Pods(ctx, at)
	if err != nil {
		return refuse(http.StatusBadGateway, "%s", wording.Clean(err.Error()))
	}
	logs, err := asked.choose(at, pods)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	flush := http.NewResponseController(w)
	if !send(w, flush, "") { // a log without news has an answer, too
		return nil
	}
	copier := newCopier(mostLogBytes, func(line api.Line) bool { return send(w, flush, encodeLine(line)) })
	during, end := context.WithCancel(ctx)
	var guarding sync.WaitGroup
	guarding.Go(func() {
		defer end()
		p.guard(during, r, asked.placementPath, copier)
	})
	p.copyAll(during, at, logs, asked.Follow, copier)
	end()
	guarding.Wait()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		copier.end(fmt.Sprintf("ended after %s: ask again, for fewer lines or for one pod", most))
	}
	return nil
}

// copyAll copies logs until they end: one after the other, or all at once where they are followed.
func (p *liveReader) copyAll(ctx context.Context, at api.Placement, logs []api.Log, follow bool, c *copier) {
	group, ctx := errgroup.WithContext(ctx)
	if !follow {
		group.SetLimit(1)
	}
	for _, l := range logs {
		group.Go(func() error {
			err := p.Runtime.ReadLog(ctx, at, l, func(from io.Reader) error { return c.copy(l, from) })
			if err != nil && ctx.Err() == nil && !errors.Is(err, errGone) {
				return c.write(api.Line{Pod: l.Pod, Container: l.Container, Error: wording.Clean(err.Error())})
			}
			return err
		})
	}
	_ = group.Wait() // each log told its own error
}

// guard returns once whoever reads logs may not read them any more: their token was taken back, or logs of the environment are not
// shown any more. A log without news has empty lines meanwhile: common proxies would close the connection.
func (p *liveReader) guard(ctx context.Context, r *http.Request, path placementPath, c *copier) {
	alive, again := time.NewTicker(keepAlive), time.NewTicker(admitEvery)
	defer alive.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			if who, may := p.admitted(r, access.Developer); !may || who != nil && !who.In(path.Team) {
				c.end("ended: whoever asked may not read these logs any more")
				return
			}
		case <-alive.C:
			if err := isShown(p.Board.Status().Platform.Offers(), path); err != nil {
				c.end("ended: " + err.Error())
				return
			}
			if !c.rest() {
				return
			}
		}
	}
}

// choose picks the logs that are asked for.
func (p logParameters) choose(at api.Placement, pods []api.Pod) (all []api.Log, err error) {
	var names, containers []string
	for _, pod := range pods {
		names = append(names, pod.Name)
		for _, c := range pod.Containers {
			if either(p.Pod, pod.Name) && !slices.Contains(containers, c.Name) {
				containers = append(containers, c.Name)
			}
			named := c.Name == p.Container || p.Container == "" && !c.Prepares
			if either(p.Pod, pod.Name) && named {
				all = append(all, api.Log{Namespace: pod.Namespace, Pod: pod.Name, Container: c.Name, Tail: p.Tail, Follow: p.Follow, Previous: p.Previous})
			}
		}
	}
	for i := range all {
		if all[i].Tail == 0 {
			all[i].Tail = defaultTail
		}
	}
	switch {
	case len(pods) == 0:
		return nil, refuse(http.StatusNotFound, "%s has no pods on %s", at.Request, at.Cluster).
			mendedBy("look at the status of the instance: it says whether its objects are applied, and whether one of them makes pods")
	case p.Pod != "" && !slices.Contains(names, p.Pod):
		return nil, refuse(http.StatusNotFound, "%s has no pod %s on %s; its pods are %s", at.Request, wording.Shorten(p.Pod), at.Cluster, someWords(names)).
			mendedBy("name one of its pods, or none for all of them")
	case len(all) == 0 && p.Container != "":
		return nil, refuse(http.StatusNotFound, "%s has no container %s on %s; its containers are %s", at.Request, wording.Shorten(p.Container), at.Cluster, someWords(containers)).
			mendedBy("name one of its containers, or none for all of them")
	case len(all) == 0:
		return nil, refuse(http.StatusNotFound, "%s has no container on %s that was started", at.Request, at.Cluster).mendedBy("name one that prepares its pod by container=")
	case len(all) > mostLogs:
		return nil, refuse(http.StatusBadRequest, "that is %d logs, and %d are read at a time: say pod=, one of %s", len(all), mostLogs,
			someWords(names)).mendedBy("add pod= or container= to the query")
	}
	return all, nil
}

// someWords are the first of many words, as people list them.
func someWords(words []string) string {
	if more := len(words) - mostLogs; more > 0 {
		words = append(slices.Clone(words[:mostLogs]), fmt.Sprintf("%d more", more))
	}
	return listWords(words, "and")
}
