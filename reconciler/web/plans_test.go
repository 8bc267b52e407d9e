package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
	resource "transom.dev/reconciler/web/api"
)

// plan is the text of a plan, with what people wrote into their files.
const plan = "### Transom plan: 1 changed\n\n**Problems**; what they concern keeps what it has:\n```\n" +
	"requests/store/shop.yaml:6:3: spec.environments: no environment \"pord\"; did you mean \"prod\"?\n```\n\n" +
	"<details><summary><b>dev</b>: 1 changed</summary>\n\n<details><summary>ConfigMap &#60;shop></summary>\n\n```diff\n-a: <script>alert(1)</script>\n+a: 2\n```\n\n</details>\n\n</details>\n" +
	"\n<script>alert(1)</script>\n\n<details onclick=\"alert(1)\">x</details> <img src=x onerror=alert(1)> [y](javascript:alert(1))\n"

// plans are those of the branches change, which is made at the second look, and full.
type plans struct{ asked atomic.Int32 }

func (*plans) Branches(context.Context) (map[string]string, error) {
	return map[string]string{"change": "c0ffee", "full": "f00"}, nil
}

func (p *plans) Plan(_ context.Context, b resource.Branch, teams *[]string) (resource.Plan, error) {
	made := resource.Plan{Branch: b, DiffsOf: teams, Platform: "77de09f2c1ab", States: []resource.State{{Environment: "dev", Commit: "5a1e"}}}
	switch {
	case b.Branch == "full":
		return made, fmt.Errorf("%w: too many plans wait", web.ErrNotYet)
	case p.asked.Add(1) == 1:
		made.Making = true
	default:
		made.Made, made.Markdown = time.Now(), plan
	}
	return made, nil
}

// PlanDraft is the plan of a file, made at the second look; one that asks for much finds no room.
func (p *plans) PlanDraft(_ context.Context, d resource.Draft, teams *[]string) (resource.Plan, error) {
	made := resource.Plan{DiffsOf: teams, Platform: "77de09f2c1ab"}
	switch {
	case strings.Contains(d.Content, "image: full"):
		return made, fmt.Errorf("%w: too many plans wait", web.ErrNotYet)
	case p.asked.Add(1) == 1:
		made.Making = true
	default:
		made.Made, made.Markdown = time.Now(), plan+"\n<details><summary>store/till</summary>\n\nits objects\n\n</details>\n"+"\n**"+d.File+"**\n\n```\n"+d.Content+"```\n"
	}
	return made, nil
}

// TestPlanOfABranch: who asks is told that it is being made, and then the plan; a mistake is told with its remedy.
func TestPlanOfABranch(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Plans: &plans{}})
	code, body := get(t, s, "/api/v1/branches")
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `[{"branch": "change", "commit": "c0ffee"}, {"branch": "full", "commit": "f00"}]`, body)
	var p resource.Plan
	for _, making := range []bool{true, false} {
		_, body = get(t, s, "/api/v1/plans?branch=change")
		p = resource.Plan{}
		require.NoError(t, json.Unmarshal([]byte(body), &p))
		require.Equal(t, making, p.Making)
	}
	require.Equal(t, plan, p.Markdown)
	require.Equal(t, "c0ffee", p.Commit)
	for address, want := range map[string]struct {
		code int
		text string
	}{
		"?branch=chance": {http.StatusNotFound, `there is no branch chance; did you mean \"change\"?`},
		"":               {http.StatusBadRequest, "plans needs branch="},
		"?branch=full":   {http.StatusServiceUnavailable, "too many plans wait"},
	} {
		code, body = get(t, s, "/api/v1/plans"+address)
		require.Equal(t, want.code, code, address)
		require.Contains(t, body, want.text)
	}
	_, body = get(t, serve(t, web.Options{Board: board()}), "/api/v1/plans?branch=change")
	require.Contains(t, body, "run transom plan in a clone of the platform repository")
}

// failingPlans are those of a Git server that does not answer.
type failingPlans struct{ plans }

func (*failingPlans) Branches(context.Context) (map[string]string, error) {
	return nil, errors.New("the server does not answer")
}

// TestBranchesThatCannotBeListed are no server's fault but the Git server's.
func TestBranchesThatCannotBeListed(t *testing.T) {
	code, body := get(t, serve(t, web.Options{Board: board(), Plans: &failingPlans{}}), "/api/v1/branches")
	require.Equal(t, http.StatusBadGateway, code)
	require.Contains(t, body, "list the branches: the server does not answer")
}

// TestPlansAreForDevelopers: they show manifests, and a page says why it shows none.
func TestPlansAreForDevelopers(t *testing.T) {
	all := newTeam(t, "")
	s := serve(t, web.Options{Board: board(), Plans: &plans{}, Access: all.guard(t)})
	for role, code := range map[access.Role]int{access.Viewer: http.StatusForbidden, access.Developer: http.StatusOK, access.Operator: http.StatusOK} {
		for _, address := range []string{"/api/v1/branches", "/api/v1/plans?branch=change", "/plans?branch=change"} {
			resp, body := as(t, http.MethodGet, s.URL+address, all.tokens[role])
			require.Equal(t, code, resp.StatusCode, "%s as %s: %s", address, role, body)
		}
	}
	for role, teams := range map[access.Role]*[]string{access.Developer: {"store"}, access.Operator: nil} {
		_, body := as(t, http.MethodGet, s.URL+"/api/v1/plans?branch=change", all.tokens[role])
		var p resource.Plan
		require.NoError(t, json.Unmarshal([]byte(body), &p))
		require.Equal(t, teams, p.DiffsOf, "differences are those of a developer's own teams")
	}
	_, body := as(t, http.MethodGet, s.URL+"/plans?branch=change", all.tokens[access.Viewer])
	require.Contains(t, body, "plans of branches are for developers")
}

// TestPlanComesToItsPage: a branch is chosen, its plan is being made and comes by itself, folded, and its texts stay text.
func TestPlanComesToItsPage(t *testing.T) {
	eventually := open(t, served(t, web.Options{Board: board(), Plans: &plans{}})+"/plans")
	eventually(`(() => { const b = document.querySelector("#branch"); b.value = "change"; b.dispatchEvent(new Event("input", { bubbles: true })); return location.pathname; })()`, "/plans")
	eventually(`document.querySelector(".plan h2")?.textContent`, "Transom plan: 1 changed")
	eventually(`location.search`, "?branch=change")
	eventually(`document.querySelectorAll(".plan > details > details .plus").length`, "1")
	eventually(`document.querySelector(".plan .minus").textContent`, "-a: <script>alert(1)</script>\n")
	eventually(`document.querySelector(".plan").textContent.includes("shop.yaml:6:3: spec.environments")`, "true")
	eventually(`document.querySelectorAll(".plan script, .plan img, .plan [onclick], .plan [href^=javascript]").length`, "0")
}

// TestPlanOfADraftComesToItsForm: nobody asks for it by typing; the button does, with the keyboard, and a change of a value takes it away.
func TestPlanOfADraftComesToItsForm(t *testing.T) {
	made := &plans{}
	o := busy(t)
	o.Plans = made
	eventually := open(t, served(t, o)+"/catalog/web/new?version=1.2.0&team=store&name=till&environment=prod")
	eventually(`document.querySelector("#link").textContent`, "live")
	eventually(`(() => { const f = document.querySelector("#f-image"); f.value = "shop:1"; f.dispatchEvent(new Event("input", { bubbles: true })); return f.value; })()`, "shop:1")
	eventually(`document.querySelector("#yaml").textContent.includes("image: shop:1")`, "true")
	eventually(`document.querySelector("#make-plan").textContent`, "Show what it changes")
	require.Zero(t, made.asked.Load(), "nobody asked")
	eventually(`(() => { document.querySelector("#make-plan").click(); return "clicked"; })()`, "clicked")
	eventually(`document.querySelector("#draft-plan .plan h2")?.textContent`, "Transom plan: 1 changed")
	eventually(`document.querySelector("#draft-plan .plan strong:last-of-type") !== null`, "true")
	eventually(`document.querySelector("#draft-plan").textContent.includes("requests/store/till.yaml")`, "true")
	eventually(`document.querySelector("#draft-plan").textContent.includes("image: shop:1")`, "true")
	eventually(`document.querySelectorAll(".plan script, .plan img, .plan [onclick], .plan [href^=javascript]").length`, "0")
	eventually(`new URLSearchParams(location.search).get("plan").length`, "12")
	eventually(`document.querySelector("#draft-plan .plan > details").open`, "true")
	eventually(`[...document.querySelectorAll("#draft-plan .plan details")].find((d) => d.textContent.startsWith("store/till")).open`, "true")
	asked := made.asked.Load()
	eventually(`(() => { const f = document.querySelector("#f-image"); f.value = "shop:2"; f.dispatchEvent(new Event("input", { bubbles: true })); return f.value; })()`, "shop:2")
	eventually(`document.querySelector("#make-plan").textContent + document.querySelectorAll(".plan").length`, "Show what it changes0")
	require.Equal(t, asked, made.asked.Load())
}

// TestPlansOfDraftsAreForDevelopersOfTheTeam: a person who is not one of it sees the form, and has nothing rendered.
func TestPlansOfDraftsAreForDevelopersOfTheTeam(t *testing.T) {
	all, made := newTeam(t, ""), &plans{}
	o := busy(t)
	o.Plans, o.Access = made, all.guard(t)
	s := serve(t, o)
	const form = "/catalog/web/new?version=1.2.0&name=till&environment=prod&p.image=shop:1&plan=yes&team="
	for _, role := range []access.Role{access.Viewer, access.Developer} {
		_, body := as(t, http.MethodGet, s.URL+form+"search", all.tokens[role])
		require.Contains(t, body, "The values fit the schema")
		require.NotContains(t, body, "The plan</h2>", "%v of another team", role)
	}
	_, body := as(t, http.MethodGet, s.URL+form+"store", all.tokens[access.Viewer])
	require.NotContains(t, body, "The plan</h2>")
	require.Zero(t, made.asked.Load())
	_, _ = as(t, http.MethodHead, s.URL+form+"store", all.tokens[access.Developer])
	_, _ = as(t, http.MethodHead, s.URL+"/plans?branch=change", all.tokens[access.Developer])
	_, _ = as(t, http.MethodHead, s.URL+"/api/v1/plans?branch=change", all.tokens[access.Developer])
	require.Zero(t, made.asked.Load(), "nobody would see it")
	_, body = as(t, http.MethodGet, s.URL+form+"store", all.tokens[access.Developer])
	require.Contains(t, body, "Being made")
	_, body = as(t, http.MethodGet, s.URL+form+"store", all.tokens[access.Developer])
	require.Contains(t, body, "Transom plan: 1 changed")
	_, body = as(t, http.MethodGet, s.URL+strings.Replace(form, "shop:1", "full", 1)+"store", all.tokens[access.Developer])
	require.Contains(t, body, "There is no plan</strong>: not yet: too many plans wait")
	asked := made.asked.Load()
	for _, unfit := range []string{strings.Replace(form, "name=till", "name=Till", 1) + "store", strings.Replace(form, "&plan=yes", "", 1) + "store"} {
		_, body = as(t, http.MethodGet, s.URL+unfit, all.tokens[access.Developer])
		require.NotContains(t, body, "Transom plan:")
	}
	require.Equal(t, asked, made.asked.Load(), "of what cannot be merged, or is not asked for, nothing is made")
	_, body = as(t, http.MethodGet, s.URL+"/requests/store/shop/edit?p.image=b&plan=yes", all.tokens[access.Developer])
	require.Contains(t, body, "Transom plan: 1 changed", "an edit is planned as well")
	require.Contains(t, body, "# requests/store/shop.yaml")
}

// TestThePlanOfAFileIsAskedForByPOST: it is that of the form's button, for the same people, of a file with a name that may be merged.
func TestThePlanOfAFileIsAskedForByPOST(t *testing.T) {
	all, plans := newTeam(t, ""), &plans{}
	o := busy(t)
	o.Plans, o.Access = plans, all.guard(t)
	s := serve(t, o)
	const till = "/api/v1/requests/store/till/plan"
	ask := func(role access.Role, address, text string) (int, string) {
		resp, body := sent(t, http.MethodPost, s.URL+address, all.tokens[role], text)
		return resp.StatusCode, body
	}
	for address, want := range map[string]struct {
		role access.Role
		code int
		text string
	}{
		till:                                {access.Viewer, http.StatusForbidden, "this needs the role developer"},
		"/api/v1/requests/search/till/plan": {access.Developer, http.StatusForbidden, `this is of team \"search\"`},
		"/api/v1/requests/store/Till/plan":  {access.Developer, http.StatusBadRequest, "names of teams and requests are small letters"},
		"/api/v1/requests/..%2f..%2fenvironments/prod/plan":   {access.Operator, http.StatusBadRequest, "names of teams and requests are small letters"},
		"/api/v1/requests/store/shop.secret/plan":             {access.Developer, http.StatusBadRequest, "names of teams and requests are small letters"},
		"/api/v1/requests/store/till/plan?aksed=twice":        {access.Developer, http.StatusBadRequest, `unknown parameter \"aksed\"`},
		"/api/v1/requests/store/till/plan?asked=" + "without": {access.Developer, http.StatusBadRequest, "there is no body"},
	} {
		code, body := ask(want.role, address, map[bool]string{true: " \n", false: "spec: {}\n"}[want.text == "there is no body"])
		require.Equal(t, want.code, code, "%s: %s", address, body)
		require.Contains(t, body, want.text)
	}
	code, body := ask(access.Developer, till, strings.Repeat("#", 64<<10+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, code)
	require.Contains(t, body, "the file is longer than 64 KiB")
	resp, _ := as(t, http.MethodGet, s.URL+till, all.tokens[access.Developer])
	require.Equal(t, "POST", resp.Header.Get("Allow"))
	require.Zero(t, plans.asked.Load(), "nothing is made for any of them")

	var p resource.Plan
	for _, making := range []bool{true, false} {
		_, body = ask(access.Developer, till, "image: shop:1\n")
		p = resource.Plan{}
		require.NoError(t, json.Unmarshal([]byte(body), &p))
		require.Equal(t, making, p.Making)
	}
	require.Contains(t, p.Markdown, "**requests/store/till.yaml**\n\n```\nimage: shop:1\n```")
	require.Equal(t, &[]string{"store"}, p.DiffsOf)
	_, body = ask(access.Developer, "/api/v1/requests/store/shop/plan", "image: shop:2\n")
	require.Contains(t, body, "**requests/store/shop.yaml**")
	resp, body = sent(t, http.MethodPost, s.URL+till, all.tokens[access.Developer], "image: full\n")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Contains(t, body, "too many plans wait")
	require.Equal(t, "5", resp.Header.Get("Retry-After"))
	resp, _ = as(t, http.MethodGet, s.URL+"/api/v1/plans?branch=full", all.tokens[access.Developer])
	require.Equal(t, "5", resp.Header.Get("Retry-After"))
	o.Plans = nil
	s = serve(t, o)
	code, body = ask(access.Developer, till, "spec: {}\n")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, body, "this daemon makes no plans")
}
