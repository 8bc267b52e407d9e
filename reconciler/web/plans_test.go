package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
