package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
	resource "transom.dev/reconciler/web/api"
)

// made are manifests that all have the same text.
type made struct{ manifest string }

func (m made) Desired(_ context.Context, at resource.Place, commit string) ([]resource.Manifest, error) {
	if commit == "gone" {
		return nil, fmt.Errorf("state commit %s: %w", commit, web.ErrNotFound)
	}
	return []resource.Manifest{{APIVersion: "v1", Kind: "ConfigMap", Namespace: at.Request.Team, Name: "shop-web", Manifest: m.manifest}}, nil
}

func (m made) Live(ctx context.Context, at resource.Place) ([]resource.Manifest, error) {
	return m.Desired(ctx, at, "")
}

func (m made) Compare(_ context.Context, at resource.Place, with string) (resource.Comparison, error) {
	return resource.Comparison{From: with, To: at.Environment, Changes: []resource.Change{{Kind: "ConfigMap", Name: "shop-web", Action: "changed", Diff: "-a: 1\n+a: " + m.manifest}}}, nil
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
	for query, want := range map[string]int{"?commit=gone": 404, "?commit=a&live=true": 400} {
		code, body := get(t, serve(t, busy(t)), route+"manifests"+query)
		require.Equal(t, want, code, body)
	}
}

// TestManifestsOnAPageAreBoundedText, whatever a cluster or a repository has.
func TestManifestsOnAPageAreBoundedText(t *testing.T) {
	o := busy(t)
	o.Manifests = made{"</pre><script>alert(1)</script>\u202e\x1b\n" + strings.Repeat(strings.Repeat("x", 1000)+"\n", 3000)}
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
