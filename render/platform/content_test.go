package platform_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// of asks for an instance of the content that a release of another instance would record.
func of(p *platform.Platform, environment string, i *platform.Instance) (*platform.Instance, []platform.Problem) {
	return p.InstanceOf(environment, i.Request.Key, i.Request.Spec.Released(), i.Version.Number.String(), i.Version.Digest, i.Request.File)
}

const ordersFile = "requests/payments/orders-db.yaml"

func TestContentOfTheHeadIsTheHeadsInstance(t *testing.T) {
	var loader platform.Loader
	files := with(t, nil)
	p, err := loader.Load(files)
	require.NoError(t, err)
	head := instance(t, p, "dev", "payments/orders-db")
	got, problems := of(p, "dev", head)
	require.Empty(t, problems)
	require.Same(t, head, got)
}

// TestContentStaysOnePointer across loads, records that say the same, and changes that are none of its business.
func TestContentStaysOnePointer(t *testing.T) {
	var loader platform.Loader
	files := with(t, nil)
	p, err := loader.Load(files)
	require.NoError(t, err)
	head := instance(t, p, "dev", "payments/orders-db")
	again := with(t, map[string]string{ordersFile: request("{storage: 30Gi}")})
	first, err := loader.Load(again)
	require.NoError(t, err)
	require.NotEqual(t, head.Release, instance(t, first, "dev", "payments/orders-db").Release)
	old, problems := of(first, "dev", head)
	require.Empty(t, problems)
	require.Equal(t, head.Release, old.Release)
	require.Equal(t, head.Parameters, old.Parameters)
	delete(again, ordersFile)
	second, err := loader.Load(again)
	require.NoError(t, err)
	for range 20 {
		same, problems := of(second, "dev", head)
		require.Empty(t, problems)
		require.Same(t, old, same)
	}
	require.Nil(t, second.Request(head.Request.Key))
	require.Contains(t, second.At(old, "spec.offering").String(), ordersFile)
}

// TestContentSaysWhyItCannotBeHad any more, and says nothing where it places nothing.
func TestContentSaysWhyItCannotBeHad(t *testing.T) {
	p := load(t, nil)
	head := instance(t, p, "dev", "payments/orders-db")
	k, spec := head.Request.Key, head.Request.Spec.Released()
	ask := func(p *platform.Platform, environment, version, digest string) string {
		i, problems := p.InstanceOf(environment, k, spec, version, digest, head.Request.File)
		require.Nil(t, i)
		if len(problems) == 0 {
			return ""
		}
		return problems[0].String()
	}
	number, digest := head.Version.Number.String(), head.Version.Digest
	require.Empty(t, ask(p, "nowhere", number, digest))
	require.Equal(t, ordersFile+": spec.version: postgres@"+number+" was changed after it had been released; "+
		"restore it and publish the change as a new version", ask(p, "dev", number, "sha256:other"))
	require.Equal(t, ordersFile+": spec.version: postgres@9.9.9 was removed after it had been released; "+
		"restore it, and set its lifecycle to withdrawn in offerings/postgres/offering.yaml to move its requests to another version",
		ask(p, "dev", "9.9.9", digest))
	broken, err := platform.Load(with(t, map[string]string{"offerings/postgres/" + number + "/version.yaml": version(" {paramters: {}}")}))
	require.NoError(t, err)
	require.Contains(t, ask(broken, "dev", number, broken.Offerings["postgres"].Versions[1].Digest), "has a Problem")
	gone, err := platform.Load(with(t, map[string]string{"offerings/postgres/offering.yaml": ""}))
	require.NoError(t, err)
	require.NotEmpty(t, ask(gone, "dev", number, digest))
}

// TestContentTakesTheVersionThatTheEnvironmentNames by itself, as the head does.
func TestContentTakesTheVersionThatTheEnvironmentNames(t *testing.T) {
	p := load(t, map[string]string{
		"offerings/postgres/1.6.0/version.yaml":       version(" {parameters: {type: object, x-kubernetes-preserve-unknown-fields: true}}"),
		"offerings/postgres/1.6.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
	})
	head := instance(t, p, "dev", "payments/orders-db")
	spec := *head.Request.Spec.Released()
	spec.Environments = map[string]platform.RequestEnvironment{"dev": {Version: "1.6"}, "gone": {}}
	i, problems := p.InstanceOf("dev", head.Request.Key, &spec, head.Version.Number.String(), head.Version.Digest, head.Request.File)
	require.Empty(t, problems)
	require.Equal(t, "1.6.0", i.Version.Number.String())
	require.NotEqual(t, head.Release, i.Release)

	spec.Environments = map[string]platform.RequestEnvironment{"dev": {Version: "1"}}
	i, problems = p.InstanceOf("dev", head.Request.Key, &spec, head.Version.Number.String(), head.Version.Digest, head.Request.File)
	require.Empty(t, problems)
	require.Equal(t, head.Version.Number.String(), i.Version.Number.String(), "what was taken stays, though 1.6.0 is published")
}
