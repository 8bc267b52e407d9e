package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"

	"transom.dev/reconciler/web/access"
	"transom.dev/reconciler/web/api"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/wording"
)

// Plans tells of the changes that merging a branch of the platform repository, or one more file, would make.
type Plans interface {
	// Branches are the commits of all branches but the platform's own, by name.
	Branches(ctx context.Context) (map[string]string, error)
	// Plan is the plan of one of them, with the differences of these teams alone; nil: of all. It does not wait until the plan is made.
	Plan(ctx context.Context, branch api.Branch, teams *[]string) (api.Plan, error)
	// PlanDraft is that of a file that nobody committed yet, in the same way.
	PlanDraft(ctx context.Context, d api.Draft, teams *[]string) (api.Plan, error)
}

// ErrNotYet says that the answer is to be had a little later; it becomes status 503.
var ErrNotYet = errors.New("not yet")

// mostBranches is how many branches are listed.
const mostBranches = 500

// planParameters name a branch.
type planParameters struct {
	Branch string `query:"branch" required:"true" doc:"The branch of the platform repository, as /api/v1/branches names it."`
}

// draftParameters name the request that a file is of.
type draftParameters struct {
	requestPath
	Asked string `query:"asked" doc:"Any text: the plan of a file stays, also while the platform and states move, until the same file is sent with another one."`
}

// planning answers questions about plans.
type planning struct{ *server }

// planned are the operations about plans.
func planned(s *server) []operation {
	p := planning{s}
	return []operation{
		asking("/api/v1/branches", "The branches of the platform repository beside its own, for developers", p.listBranches),
		{
			method: http.MethodPost, route: "/api/v1/requests/{team}/{request}/plan", parameters: reflect.TypeFor[draftParameters](),
			summary: "What merging another text of a request's file, or a new one, would change, like /api/v1/plans, for developers of the team; the body is the file",
			body:    "application/yaml", answer: reflect.TypeFor[api.Plan](), handler: answer(p.planPosted, "the plan of a file is asked for by POST", http.MethodPost),
		},
		asking("/api/v1/plans", "What merging a branch would change, as transom plan says it, for developers, with the differences of their own teams; made when it is asked for", p.plan),
	}
}

// heads are the commits of the branches, for those who may see plans: they name objects of all teams, and show manifests of those who ask.
func (s planning) heads(ctx context.Context) (map[string]string, error) {
	if who := access.Of(ctx); who.Role < access.Developer {
		return nil, refuse(http.StatusForbidden, "%s, and plans of branches are for developers", who)
	}
	if s.Plans == nil {
		return nil, noPlans()
	}
	heads, err := s.Plans.Branches(ctx)
	if err != nil {
		return nil, refuse(http.StatusBadGateway, "list the branches: %s", wording.Clean(err.Error())).
			mendedBy("look at what the top of the console says about the platform repository")
	}
	return heads, nil
}

func noPlans() error {
	return refuse(http.StatusNotFound, "this daemon makes no plans").mendedBy("run transom plan in a clone of the platform repository")
}

func (s planning) listBranches(r *http.Request, _ none) ([]api.Branch, error) {
	heads, err := s.heads(r.Context())
	if err != nil {
		return nil, err
	}
	all := []api.Branch{}
	for _, name := range slices.Sorted(maps.Keys(heads)) {
		if len(all) < mostBranches {
			all = append(all, api.Branch{Branch: name, Commit: heads[name]})
		}
	}
	return all, nil
}

func (s planning) plan(r *http.Request, asked planParameters) (p api.Plan, err error) {
	heads, err := s.heads(r.Context())
	if err != nil {
		return p, err
	}
	commit, ok := heads[asked.Branch]
	if !ok {
		return p, notKnown("branch", asked.Branch, slices.Collect(maps.Keys(heads)))
	}
	if r.Method == http.MethodHead { // nobody sees the plan
		return p, nil
	}
	return s.Plans.Plan(r.Context(), api.Branch{Branch: asked.Branch, Commit: commit}, readersOf(access.Of(r.Context())))
}

// readersOf are the teams whose differences somebody sees: manifests are for the developers of their team; nil: all.
func readersOf(who access.Identity) *[]string {
	if who.Role >= access.Operator {
		return nil
	}
	teams := append([]string{}, who.Teams...)
	slices.Sort(teams)
	return &teams
}

// showPlan is the plan of a branch for a page of the console, by the rules of the API's routes. An empty branch is none.
func (s planning) showPlan(r *http.Request, branch string) (page console.PlanOfBranch, err error) {
	if page.Branches, err = s.listBranches(r, none{}); err != nil || branch == "" {
		return page, err
	}
	if page.Plan, err = s.plan(r, planParameters{branch}); err == nil {
		page.HTML, err = planHTML(page.Plan.Markdown)
	}
	return page, err
}

// planDraft is the plan of a file that a form of the console made, for developers of the team that the file is of.
func (s planning) planDraft(r *http.Request, team string, d api.Draft) (page console.PlanOfDraft, err error) {
	if r.Method == http.MethodHead { // nobody sees the plan
		return page, nil
	}
	if page.Plan, err = s.draft(r.Context(), team, d); err == nil {
		page.HTML, err = planHTML(page.Plan.Markdown)
		key := strings.TrimSuffix(strings.TrimPrefix(d.File, "requests/"), ".yaml")
		opened := strings.NewReplacer("<details><summary><b>", "<details open><summary><b>", "<details><summary>"+key+"</summary>", "<details open><summary>"+key+"</summary>")
		page.HTML = template.HTML(opened.Replace(string(page.HTML))) //nolint:gosec // a name of letters, digits and hyphens
	}
	return page, err
}

// draft is the plan of a file that nobody committed yet, for developers of the team that it is of.
func (s planning) draft(ctx context.Context, team string, d api.Draft) (p api.Plan, err error) {
	who := access.Of(ctx)
	if !who.In(team) {
		return p, refuse(http.StatusForbidden, "%s, and plans of its requests are for developers of team %.100q", who, team)
	}
	if s.Plans == nil {
		return p, noPlans()
	}
	d.Person = who.Name
	return s.Plans.PlanDraft(ctx, d, readersOf(who))
}

// planPosted answers with the plan of a request's file that is the body.
func (s planning) planPosted(w http.ResponseWriter, r *http.Request) error {
	asked, err := readParameters[draftParameters](r)
	if err != nil {
		return err
	}
	known := s.Board.Status().Platform
	if err := unread(known); err != nil {
		return err
	}
	file := "requests/" + asked.Team + "/" + asked.Request + ".yaml"
	if request := known.Offers().Request(asked.key()); request != nil {
		file = request.File
	} else if !nameOfRequest.MatchString(asked.Team) || !nameOfRequest.MatchString(asked.Request) {
		return refuse(http.StatusBadRequest, "%s: names of teams and requests are small letters, digits and dashes, a letter first", wording.Shorten(asked.key().String())).
			mendedBy("name the request as its file is to be named")
	}
	content, err := io.ReadAll(r.Body)
	switch tooLong := (*http.MaxBytesError)(nil); {
	case errors.As(err, &tooLong):
		return refuse(http.StatusRequestEntityTooLarge, "the file is longer than %d KiB", tooLong.Limit>>10).mendedBy("push it on a branch, and ask for the plan of that")
	case err != nil:
		return refuse(http.StatusBadRequest, "read the file: %s", wording.Shorten(err.Error()))
	case len(bytes.TrimSpace(content)) == 0:
		return refuse(http.StatusBadRequest, "there is no body, which is the file of the request").mendedBy("send the file, as curl --data-binary @FILE does")
	}
	made, err := s.draft(r.Context(), asked.Team, api.Draft{File: file, Content: string(content), Asked: asked.Asked})
	if err != nil {
		return err
	}
	return writeJSON(w, r, made)
}

// nameOfRequest matches the names that teams and requests may have.
var nameOfRequest = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// planHTML is the text of a plan as HTML: of the tags in it, those that fold are kept, and all else is text.
func planHTML(text string) (template.HTML, error) {
	text = strings.TrimPrefix(text, "#") // below the title of its page
	var out bytes.Buffer
	markdown := goldmark.New(goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(folds{}, 1))))
	if err := markdown.Convert([]byte(text), &out); err != nil {
		return "", fmt.Errorf("show the plan: %w", err)
	}
	return template.HTML(out.String()), nil //nolint:gosec // goldmark escapes texts, and folds the tags
}

// folds renders the HTML and the differences of a plan.
type folds struct{}

// RegisterFuncs is part of renderer.NodeRenderer.
func (folds) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindHTMLBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		block := n.(*ast.HTMLBlock)
		if entering {
			_, _ = w.WriteString(folding(string(block.Lines().Value(source)))) // the buffer keeps its error
		} else if block.HasClosure() {
			_, _ = w.WriteString(folding(string(block.ClosureLine.Value(source))))
		}
		return ast.WalkContinue, nil
	})
	reg.Register(ast.KindRawHTML, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			_, _ = w.WriteString(folding(string(n.(*ast.RawHTML).Segments.Value(source))))
		}
		return ast.WalkSkipChildren, nil
	})
	reg.Register(ast.KindFencedCodeBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			block := n.(*ast.FencedCodeBlock)
			_, _ = w.WriteString(console.Differences(string(block.Lines().Value(source)), string(block.Language(source)) == "diff"))
		}
		return ast.WalkSkipChildren, nil
	})
}

// foldingTags are those that a plan is folded by. They have no attributes.
var foldingTags = regexp.MustCompile(`</?(?:details|summary|b)>`)

// folding keeps the tags that fold, and makes text of all others.
func folding(text string) string {
	asText := strings.NewReplacer("<", "&lt;", ">", "&gt;")
	var out strings.Builder
	end := 0
	for _, at := range foldingTags.FindAllStringIndex(text, -1) {
		out.WriteString(asText.Replace(text[end:at[0]]) + text[at[0]:at[1]])
		end = at[1]
	}
	return out.String() + asText.Replace(text[end:])
}
