package web

import (
	"context"
	"net/http"
	"time"

	"transom.dev/reconciler/web/api"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/wording"
)

// Bounds of a page that shows pods.
const (
	seenTime     = 10 * time.Second
	seenTail     = 1000      // lines of a container
	seenLogBytes = 512 << 10 // of all their lines
	seenEvents   = 100
)

// see looks at a placement for a page of the console, by the rules of the API's routes about pods: the same people, the same
// environments, the same number of questions at once.
func (p *liveReader) see(r *http.Request, look console.Look) (seen console.Seen, err error) {
	path := placementPath{instancePath{look.Environment, requestPath{look.Request.Team, look.Request.Name}}, look.Cluster}
	at, err := p.find(r.Context(), path)
	if err != nil {
		return seen, err
	}
	leave, err := p.looks.enter(r)
	if err != nil {
		return seen, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), seenTime)
	defer cancel()
	seen.Cluster = at.Cluster
	if look.Alone {
		if seen.Pods, err = p.Runtime.Pods(ctx, at); err != nil {
			seen.NoPods = wording.Clean(err.Error())
		}
		return seen, nil
	}
	if seen.Events, err = p.Runtime.Happenings(ctx, at); err != nil {
		seen.NoEvents = wording.Clean(err.Error())
	}
	if more := len(seen.Events) - seenEvents; more > 0 {
		seen.Events, seen.MoreEvents = seen.Events[:seenEvents], more
	}
	if seen.Pods, err = p.Runtime.Pods(ctx, at); err != nil {
		seen.NoPods = wording.Clean(err.Error())
		return seen, nil
	}
	asked := logParameters{placementPath: path, Pod: look.Pod, Container: look.Container, Tail: min(look.Tail, seenTail), Previous: look.Previous}
	logs, err := asked.choose(at, seen.Pods)
	if err != nil {
		seen.NoLog = err.Error()
		return seen, nil
	}
	p.copyAll(ctx, at, logs, false, newCopier(seenLogBytes, func(line api.Line) bool {
		seen.Log = append(seen.Log, line)
		return true
	}))
	return seen, nil
}
