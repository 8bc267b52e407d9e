package console_test

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// TestAnApprovalIsMadeAtTheForge: where something waits for a person, a link opens the forge's page for the file that decides, which the
// platform takes as it is; for a release that was rejected it is a file that is not there yet.
func TestAnApprovalIsMadeAtTheForge(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	header := func(kind, name, spec string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n")}
	}
	files := fstest.MapFS{
		"clusters/east.yaml":                     header("Cluster", "east", "{}"),
		"environments/prod.yaml":                 header("Environment", "prod", "{state: {url: ../state.git}, clusters: {}}"),
		"offerings/web/offering.yaml":            header("Offering", "web", "{title: Web, description: Serves HTTP., owner: platform}"),
		"offerings/web/1.2.0/version.yaml":       header("Version", "web", "{}"),
		"offerings/web/1.2.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [config.yaml]\n")},
		"offerings/web/1.2.0/config.yaml":        {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")},
		"requests/store/shop.yaml":               header("Request", "shop", "{offering: web, version: \"1\", environments: {prod: {}}}"),
		"decisions/prod/store-shop-abababa.yaml": header("Approval", "store-shop-abababa", "{request: store/shop, release: \""+digest+"\"}"),
	}
	load := func() *platform.Platform {
		p, err := platform.Load(files)
		require.NoError(t, err)
		for _, problem := range p.Problems {
			require.True(t, problem.Warning, problem.String())
		}
		return p
	}
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", load())
	b.Reconciled(status.Environment{Name: "prod", Plan: digest, Deletions: digest}, []status.Instance{{
		Environment: "prod", Request: shop, Candidate: &status.Candidate{Release: digest, Offering: "web", Version: "1.2.0"}, Waiting: []status.Gate{{Name: "rejected", Reason: "failed on east"}},
	}})
	get := serve(console.Options{Board: b})
	link := regexp.MustCompile(`href="(https://github[.]com/acme/platform/new/[^"]*)"`)
	for page, fields := range map[string][]string{"/": {"release"}, "/requests/store/shop?environment=prod": {"release"}, "/environments/prod": {"plan", "deletions"}} {
		_, body := get(t, page)
		found := link.FindAllStringSubmatch(body, -1)
		require.Len(t, found, len(fields), page)
		for i, one := range found {
			at, err := url.Parse(html.UnescapeString(one[1]))
			require.NoError(t, err)
			content := at.Query().Get("value")
			require.Contains(t, content, fields[i]+": "+digest)
			name := strings.TrimPrefix(at.Path, "/acme/platform/new/") + "/" + at.Query().Get("filename")
			_, name, _ = strings.Cut(name, "/decisions/")
			name = "decisions/" + name
			require.NotContains(t, files, name)
			files[name] = &fstest.MapFile{Data: []byte(content)}
			load()
			delete(files, name)
		}
	}
}
