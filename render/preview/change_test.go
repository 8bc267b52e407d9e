package preview_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/preview"
)

func TestPlanSaysWhatChangesObjectByObject(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, map[string][]byte{
		shopFile:                     request("shop", "  environments: {prod: {}}\n"),
		"requests/payments/old.yaml": request("old", "  environments: {prod: {}}\n"),
	}), "prod")
	base, err := render.ReadBase(repo.files)
	require.NoError(t, err)
	state := repo.render(t, with(t, map[string][]byte{
		shopFile:                   request("shop", "  parameters: {text: new}\n  environments: {prod: {}}\n"),
		"requests/search/new.yaml": request("new", "  environments: {prod: {}}\n"),
		"clusters/prod-us.yaml":    nil,
	}), "prod")
	changes, err := preview.Changes(base, state)
	require.NoError(t, err)

	var said []string
	for _, c := range changes {
		said = append(said, c.Cluster+" "+c.Team+"/"+c.Request+" "+string(c.Action)+" "+c.Kind+" "+c.Namespace+"/"+c.Name)
	}
	require.Equal(t, []string{
		"prod-us / let go  /",
		"prod-eu payments/old removed ConfigMap payments/old-note",
		"prod-eu payments/shop changed ConfigMap payments/shop-note",
		"prod-eu search/ added Namespace /search",
		"prod-eu search/new added ConfigMap search/new-note",
	}, said)
	require.Equal(t, "@@ -1,6 +1,6 @@\n apiVersion: v1\n data:\n-  text: hello\n+  text: new\n kind: ConfigMap\n metadata:\n   labels:\n", changes[2].Diff)
	require.Equal(t, "v1", changes[1].APIVersion)
	require.Contains(t, changes[1].Diff, "\n-  text: hello\n")
	require.NotContains(t, changes[3].Diff, "\n-")

	nothing, err := preview.Changes(base, &render.State{Environment: "prod"})
	require.NoError(t, err)
	require.Empty(t, nothing)
}

func TestPlanShowsNoSecretValue(t *testing.T) {
	const head = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n"
	const file = "clusters/dev/payments/shop.yaml"
	base := &render.Base{Files: fstest.MapFS{file: {Data: []byte(head + "data:\n  same: c2FtZQ==\n  old: b2xkdmFsdWU=\nstringData:\n  text: plain-before\n")}}}
	changes, err := preview.Changes(base, &render.State{Changes: map[string][]byte{
		file: []byte(head + "data:\n  same: c2FtZQ==\n  old: bmV3dmFsdWU=\nstringData:\n  text: plain-after\n"),
	}})
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.Equal(t, "@@ -1,9 +1,9 @@\n apiVersion: v1\n data:\n-  old: '***'\n+  old: '*** (differs)'\n   same: '***'\n"+
		" kind: Secret\n metadata:\n   name: s\n stringData:\n-  text: '***'\n+  text: '*** (differs)'\n", changes[0].Diff)

	circle := &render.Base{Files: fstest.MapFS{file: {Data: []byte(head + "data: {1a: YQ==, 9f: YQ==, 10ab: YQ==}\n")}}}
	for range 30 { // keys that the YAML library prints in one order or another
		changes, err := preview.Changes(circle, &render.State{Changes: map[string][]byte{file: []byte(head + "data: {1a: YQ==, 9f: YQ==, 10ab: Yg==}\n")}})
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(changes[0].Diff, "\n-"), changes[0].Diff)
	}

	removed, err := preview.Changes(base, &render.State{Changes: map[string][]byte{file: nil}})
	require.NoError(t, err)
	require.NotContains(t, removed[0].Diff, "b2xkdmFsdWU")
	require.NotContains(t, removed[0].Diff, "plain-before")
	broken := &render.Base{Files: fstest.MapFS{file: {Data: []byte("{")}}}
	_, err = preview.Changes(broken, &render.State{Environment: "dev", Changes: map[string][]byte{file: nil}})
	require.ErrorContains(t, err, "plan dev: clusters/dev/payments/shop.yaml: read an object")
}
