package web

import (
	"context"
	"net/http"
	"strings"

	"transom.dev/reconciler/web/access"
	"transom.dev/reconciler/web/api"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/wording"
)

// Manifests shows the manifests of placements, and compares them.
type Manifests interface {
	// Desired are the manifests that a placement is to have, as a state commit has them; empty: as they are deployed.
	Desired(ctx context.Context, at api.Placement, commit string) ([]api.Manifest, error)
	// Live are the objects as the cluster has them.
	Live(ctx context.Context, at api.Placement) ([]api.Manifest, error)
	// Compare tells what differs from one side to the other. A side is empty (as deployed), live, next, a state commit, a release of its
	// history, or an environment with its cluster behind a slash.
	Compare(ctx context.Context, at api.Placement, from, to string) (api.Comparison, error)
}

// Parameters of manifests and of comparisons.
type (
	manifestParameters struct {
		placementPath
		Commit string `query:"commit" doc:"As this commit of the environment's state has them; left out, as they are deployed."`
		Live   bool   `query:"live" doc:"As the cluster has them, with every field that others set."`
	}
	comparisonParameters struct {
		placementPath
		With string `query:"with" doc:"What the deployed manifests are compared with. live: the cluster's objects, in the fields that the manifests set; next: the release that waits; a commit of the environment's state; or another environment, with its cluster behind a slash where it has several."`
		From string `query:"from" doc:"In the place of with: the side to compare from, in the words of with, or the digest of one of the latest releases; left out, as deployed."`
		To   string `query:"to" doc:"The side to compare to, in the same words; left out, as deployed."`
	}
)

func (p manifestParameters) check() error {
	if p.Live && p.Commit != "" {
		return refuse(http.StatusBadRequest, "live= and commit= are both there: a cluster has its objects as they are now").mendedBy("leave one of live= and commit= out")
	}
	return nil
}

func (p comparisonParameters) check() error {
	switch {
	case p.With == "" && p.From == "" && p.To == "":
		return refuse(http.StatusBadRequest, "with= is missing, and so are from= and to=: there is nothing to compare").mendedBy("add with=live, or from= and to=")
	case p.With != "" && (p.From != "" || p.To != ""):
		return refuse(http.StatusBadRequest, "with= stands beside from= or to=: with= compares with the deployed manifests").mendedBy("leave one of them out")
	case p.From == "live" && p.To == "live":
		return refuse(http.StatusBadRequest, "both from= and to= are live: the cluster has its objects once").mendedBy("compare them with something else")
	}
	return nil
}

// shownManifests are the operations about manifests.
func shownManifests(p *liveReader, route string) []operation {
	return []operation{
		asking(route+"/manifests", "The manifests of a placement, for developers of the team", p.listManifests),
		asking(route+"/diff", "What differs between the manifests of a placement and something else, for developers of the team", p.compare),
	}
}

// findOwn finds a placement of a team for one of its developers.
func (p *liveReader) findOwn(ctx context.Context, path placementPath) (at api.Placement, err error) {
	all := p.Board.Status()
	if who := access.Of(ctx); !who.In(path.Team) {
		return at, refuse(http.StatusForbidden, "%s, and manifests of %s are for its developers", who, wording.Shorten(path.Team))
	}
	if err := unread(all.Platform); err != nil {
		return at, err
	}
	if p.Manifests == nil {
		return at, refuse(http.StatusNotFound, "this daemon shows no manifests").mendedBy("read the state repositories")
	}
	return placementIn(all, path)
}

func (p *liveReader) listManifests(r *http.Request, asked manifestParameters) ([]api.Manifest, error) {
	at, err := p.findOwn(r.Context(), asked.placementPath)
	if err != nil {
		return nil, err
	}
	return question(p, r, func(ctx context.Context) ([]api.Manifest, error) {
		if asked.Live {
			return p.Manifests.Live(ctx, at)
		}
		return p.Manifests.Desired(ctx, at, asked.Commit)
	})
}

func (p *liveReader) compare(r *http.Request, asked comparisonParameters) (c api.Comparison, err error) {
	at, err := p.findOwn(r.Context(), asked.placementPath)
	if err != nil {
		return c, err
	}
	from, to := asked.From, asked.To
	if asked.With != "" {
		from, to = console.Sides(asked.With)
	}
	return question(p, r, func(ctx context.Context) (api.Comparison, error) { return p.Manifests.Compare(ctx, at, from, to) })
}

// question asks about a placement, as one of a bounded number of questions, within a bounded time.
func question[A any](p *liveReader, r *http.Request, ask func(context.Context) (A, error)) (answer A, err error) {
	leave, err := p.looks.enter(r)
	if err != nil {
		return answer, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), logTime)
	defer cancel()
	if answer, err = ask(ctx); err != nil {
		if code := statusOf(err); code != http.StatusInternalServerError {
			return answer, err
		}
		return answer, refuse(http.StatusBadGateway, "%s", wording.Clean(err.Error()))
	}
	return answer, nil
}

// openManifests is the manifests of a placement, or a comparison of them, for a page of the console, by the rules of the API's routes.
func (p *liveReader) openManifests(r *http.Request, look console.ManifestLook) (found console.Manifests, err error) {
	path := placementPath{instancePath{look.Environment, requestPath{look.Request.Team, look.Request.Name}}, look.Cluster}
	if look.Compares() {
		asked := comparisonParameters{placementPath: path, From: look.From, To: look.To}
		if err := asked.check(); err != nil {
			return found, err
		}
		found.Comparison, err = p.compare(r, asked)
	} else {
		found.Objects, err = p.listManifests(r, manifestParameters{placementPath: path, Commit: look.Commit, Live: look.Live})
	}
	remaining := pageBytes
	for i := range found.Objects {
		found.Objects[i].Manifest = shownText(found.Objects[i].Manifest, &remaining)
	}
	for i := range found.Comparison.Changes {
		found.Comparison.Changes[i].Diff = shownText(found.Comparison.Changes[i].Diff, &remaining)
	}
	return found, err
}

// pageBytes is how many bytes of manifests a page shows.
const pageBytes = 1 << 20

// shownText makes a text one that a page may show, as long as there is room.
func shownText(text string, remaining *int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if *remaining -= len(line) + 1; *remaining < 0 {
			b.WriteString("… and more: the API has the whole of it\n")
			break
		}
		b.WriteString(wording.CleanLine(line) + "\n")
	}
	return b.String()
}
