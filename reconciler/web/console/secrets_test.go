package console_test

import (
	"html"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// TestAFormLeavesSecretsOut: at each value that a version takes sealed it says so, has no input for it, and gives the command that check asks for.
func TestAFormLeavesSecretsOut(t *testing.T) {
	files := bindable()
	put := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	const dev = "environments/dev.yaml"
	const recipient = "age1q73he0q5yzfu3d64msd3p6rvksnrwjk3d2598mgtmlqt9wrdr37q2vrn72"
	put(dev, strings.Replace(string(files[dev].Data), "spec: {", "spec: {secrets: {recipients: {store: ["+recipient+"]}}, ", 1))
	put("offerings/db/1.0.0/config.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  annotations: {transom.dev/sealed: \"stripe-key, smtp-password?\"}\ntype: Opaque\n")
	put("offerings/db/1.0.0/version.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: db}\nspec:\n"+
		"  parameters: {type: object, properties: {tls: {type: boolean, default: false}}}\n  components: [{path: tls, when: parameters.tls}]\n"+
		"  outputs:\n  - {name: host, value: '\"db\"'}\n")
	put("offerings/db/1.0.0/tls/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- {path: keys.yaml}\n")
	put("offerings/db/1.0.0/tls/keys.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  annotations:\n    transom.dev/sealed: stripe-key, smtp-password?, tls.key # the last one more\n")
	p, err := platform.Load(files)
	require.NoError(t, err)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	get := serve(console.Options{Board: b})
	field := func(body, key string) string {
		_, text, found := strings.Cut(html.UnescapeString(body), `<div class="field" id="f-s-`+key+`">`)
		require.True(t, found, key)
		text, _, _ = strings.Cut(text, "</div>")
		return text
	}
	_, body := get(t, "/catalog/db/new?team=store&name=more&environment=dev&s.stripe-key=orchard&p.stripe-key=orchard")
	require.NotContains(t, body, "orchard")
	require.NotRegexp(t, `<(input|textarea|select)[^>]*(stripe-key|smtp-password|tls\.key)`, body)
	require.Contains(t, field(body, "stripe-key"), "<b>secret, required</b>")
	require.Contains(t, field(body, "smtp-password"), "<b>secret</b>")
	require.NotContains(t, field(body, "smtp-password"), "asked for")
	require.Contains(t, field(body, "tls.key"), "it is asked for when parameters.tls")
	require.Contains(t, body, "secret ones are still to be sealed")
	require.NotContains(t, body, "The values fit the schema.</strong>")
	const command = "transom secret set store/more stripe-key -e dev"
	require.Regexp(t, `(?s)END\n`+command+`\n# if more are asked for: transom secret set store/more stripe-key smtp-password tls.key -e dev\ntransom check`, html.UnescapeString(body))

	put("requests/store/more.yaml", html.UnescapeString(written.FindStringSubmatch(body)[1]))
	again, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, again.Problems)
	rendered, err := (&render.Renderer{Unwritten: true}).Render(again, "dev", &render.Base{})
	require.NoError(t, err)
	var told []string
	for _, one := range rendered.Problems {
		if one.File == "requests/store/more.dev.secret.yaml" {
			told = append(told, one.Message)
		}
	}
	require.Equal(t, []string{"db@1.0.0 needs stripe-key, which the request does not give; seal what is missing: " + command}, told)

	_, body = get(t, "/catalog/db/new?team=search&name=more&environment=prod")
	require.Contains(t, field(body, "stripe-key"), "prod names nobody for whom values of search are sealed: its operators add them under spec.secrets.recipients in environments/prod.yaml")
	_, body = get(t, "/catalog/cache/new?team=store&name=more&environment=dev")
	require.NotContains(t, body, "secret")
	require.Contains(t, body, "The values fit the schema.</strong>")
}

// TestAFormTellsSecretsOfAChart: a template decides whether they are asked for, and the form says which.
func TestAFormTellsSecretsOfAChart(t *testing.T) {
	p, _ := acme(t)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	_, body := serve(console.Options{Board: b})(t, "/catalog/pages/new?version=1.1.0&team=search&name=more&environment=dev&p.text=x&p.locked=true")
	require.Regexp(t, `(?s)id="f-s-password">.*it is asked for where chart/templates/secret.yaml says so`, body)
	require.Contains(t, body, "# if more are asked for: transom secret set search/more password -e dev")
	require.NotContains(t, body, "The values fit the schema.</strong>")
	require.Contains(t, body, "The values fit the schema, and secret ones may be asked for.")
}
