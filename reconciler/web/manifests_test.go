package web_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
	resource "transom.dev/reconciler/web/api"
	pages "transom.dev/reconciler/web/console"
)

// made are manifests that all have the same text, and a name.
type made struct{ manifest, name string }

func (m made) Desired(_ context.Context, at resource.Placement, commit string) ([]resource.Manifest, error) {
	if commit == "gone" {
		return nil, fmt.Errorf("state commit %s: %w", commit, web.ErrNotFound)
	}
	return []resource.Manifest{{APIVersion: "v1", Kind: "ConfigMap", Namespace: at.Request.Team, Name: cmp.Or(m.name, "shop-web"), Manifest: m.manifest}}, nil
}

func (m made) Live(ctx context.Context, at resource.Placement) ([]resource.Manifest, error) {
	return m.Desired(ctx, at, "")
}

func (m made) Compare(_ context.Context, _ resource.Placement, from, to string) (resource.Comparison, error) {
	return resource.Comparison{From: cmp.Or(from, "deployed"), To: cmp.Or(to, "deployed"), Changes: []resource.Change{{Kind: "ConfigMap", Name: cmp.Or(m.name, "shop-web"), Action: "changed", Diff: "-a: 1\n+a: " + m.manifest}}}, nil
}

var _ web.Manifests = made{}

// TestManifestsAreForDevelopersOfTheTeam, those of the API and those of the console's page, which only they are led to.
func TestManifestsAreForDevelopersOfTheTeam(t *testing.T) {
	all := newTeam(t, "")
	o := busy(t)
	o.Access = all.guard(t)
	s := serve(t, o)
	const route = "/api/v1/instances/prod/store/shop/"
	for _, path := range []string{route + "manifests", route + "manifests?live=true", route + "diff?with=live", "/requests/store/shop/manifests", "/requests/store/shop/manifests?with=next"} {
		for role, want := range map[access.Role]int{access.Anybody: 401, access.Viewer: 403, access.Developer: 200, access.Operator: 200} {
			resp, body := as(t, http.MethodGet, s.URL+path, all.tokens[role])
			require.Equal(t, want, resp.StatusCode, "%s as %s: %s", path, role, body)
			require.Equal(t, want == http.StatusOK, strings.Contains(body, "kind: ConfigMap"), "%s as %s", path, role)
			_, body = as(t, http.MethodGet, s.URL+"/requests/store/shop?environment=prod", all.tokens[role])
			require.Equal(t, want == http.StatusOK, strings.Contains(body, "Live against desired"), "as %s", role)
		}
	}
	for query, want := range map[string]int{
		"manifests?commit=gone": 404, "manifests?commit=a&live=true": 400, "diff": 400, "diff?with=live&from=next": 400, "diff?from=live&to=live": 400,
	} {
		code, body := get(t, serve(t, busy(t)), route+query)
		require.Equal(t, want, code, body)
	}
}

// TestManifestsOnAPageAreBoundedText, whatever a cluster or a repository has.
func TestManifestsOnAPageAreBoundedText(t *testing.T) {
	o := busy(t)
	o.Manifests = made{manifest: "</pre><script>alert(1)</script>\u202e\x1b\n" + strings.Repeat(strings.Repeat("x", 1000)+"\n", 3000)}
	for _, path := range []string{"/requests/store/shop/manifests?live=true", "/requests/store/shop/manifests?with=" + strings.Repeat("<script>alert(2)", 100)} {
		code, body := get(t, serve(t, o), path)
		require.Equal(t, http.StatusOK, code)
		require.NotContains(t, body, "<script>alert")
		require.NotContains(t, body, "\u202e")
		require.Less(t, len(body), 2<<20)
		require.Contains(t, body, "the API has the whole of it")
		require.Contains(t, body, "</html>")
	}
}

// TestAnyTwoSidesAreCompared, by the API and by the choice on the page, of which each has an address.
func TestAnyTwoSidesAreCompared(t *testing.T) {
	const route = "/api/v1/instances/prod/store/shop/diff?"
	for query, want := range map[string]string{
		"with=live": "deployed to live", "with=next": "deployed to next", "with=dev": "dev to deployed",
		"from=s1": "s1 to deployed", "to=s1": "deployed to s1", "from=s1&to=s2": "s1 to s2", "from=live&to=next": "live to next",
	} {
		_, body := get(t, serve(t, busy(t)), route+query)
		from, to, _ := strings.Cut(want, " to ")
		require.Contains(t, body, fmt.Sprintf(`"from":%q,"to":%q`, from, to), query)
		_, page := get(t, serve(t, busy(t)), "/requests/store/shop/manifests?"+query)
		require.Contains(t, page, "<h2>From "+want+"</h2>", query)
	}
}

// TestTwoReleasesAreChosenInABrowser, and hostile names and values stay text there.
func TestTwoReleasesAreChosenInABrowser(t *testing.T) {
	o := busy(t)
	name := `x"><img src=x onerror="window.harmed = 4">`
	o.Manifests = made{"<img src=x onerror=\"window.harmed = 1\">\u202e\n+<script>window.harmed = 2</script>", name}
	o.Past = func(context.Context, web.Question) ([]pages.Past, error) {
		return []pages.Past{{Commit: "s2", Version: "1.1.0", Release: "sha256:2222222"}, {Commit: "s1", Version: `"><script>window.harmed = 3</script>`}}, nil
	}
	eventually := open(t, served(t, o)+"/requests/store/shop/manifests?environment=prod&cluster=east")
	eventually(all("#objects summary b"), "ConfigMap store/"+name)
	eventually(all("#from option:nth-last-child(2)"), "1 Jan 00:00 UTC, 1.1.0, release 2222222")
	eventually(all("#to option:last-child"), `1 Jan 00:00 UTC, "><script>window.harmed = 3</script>`)
	choose := func(id, value string) string {
		return fmt.Sprintf(`((e) => { if (e.value !== %[2]q) { e.value = %[2]q; e.dispatchEvent(new Event("input", {bubbles: true})); } return e.value; })(document.getElementById(%[1]q))`, id, value)
	}
	eventually(choose("from", "s1"), "s1")
	eventually(all("#differences h2"), "From s1 to deployed")
	eventually(choose("to", "s2"), "s2")
	eventually(all("#differences h2"), "From s1 to s2")
	eventually(all("#differences summary b"), "ConfigMap "+name)
	eventually(`location.search`, "?environment=prod&cluster=east&from=s1&to=s2")
	eventually(`document.querySelector("#differences .plus").textContent.includes('<img src=x onerror="window.harmed = 1">')`, "true")
	eventually(`document.querySelectorAll("#differences img, #differences script, select script").length`, "0")
	eventually(`document.body.textContent.includes("\u202e")`, "false")
	eventually(`window.harmed`, "undefined")
}
