package platform_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// newRequest is a request for a database.
func newRequest(name string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: " + name + "}\n" +
		"spec: {offering: postgres, version: \"1\", parameters: {storage: 1Gi}, environments: {dev: {}}}\n")}
}

// known is what a platform says of all its requests in dev.
func known(p *platform.Platform) (out []string) {
	for _, i := range p.Instances("dev") {
		out = append(out, i.Request.Key.String()+" "+i.Release)
	}
	for _, problem := range p.Problems {
		out = append(out, problem.String())
	}
	for _, r := range p.Requests {
		out = append(out, fmt.Sprint(r.Key, r.Broken, r.Deferred))
	}
	return out
}

// TestNewRequestsBeyondABoundAreDeferred loads a merge of new requests, some of them broken, along with changes of known ones: these and
// so many new ones as the bound says come at once. Nothing is concluded of the others until a later load, and all loads together come to
// the same as one.
func TestNewRequestsBeyondABoundAreDeferred(t *testing.T) {
	files := large(t, 2)
	l := &platform.Loader{AtOnce: 3}
	first, err := l.Load(files)
	require.NoError(t, err)
	require.Zero(t, first.Deferred(), "the first load has no other before it, and resolves all")
	before := first.Requests[0].Key

	files = maps.Clone(files)
	for n := range 7 {
		name := fmt.Sprintf("new%d", n)
		files["requests/"+before.Team+"/"+name+".yaml"] = newRequest(name)
	}
	files["requests/"+before.Team+"/new6.yaml"].Data = []byte("kind: nothing\n")
	files["requests/"+before.Team+"/new5.yaml"] = newRequest(before.Name) // which its file was called before
	delete(files, before.File())
	var other platform.RequestKey
	for _, r := range first.Requests[1:] {
		other = r.Key
	}
	files[other.File()] = newRequest(other.Name)
	whole, err := platform.Load(files)
	require.NoError(t, err)

	p, err := l.Load(files)
	require.NoError(t, err)
	require.Equal(t, 4, p.Deferred())
	require.NotNil(t, p.Request(other))
	require.NotEqual(t, first.Request(other).Spec, p.Request(other).Spec, "what is known is resolved at once")
	require.Nil(t, p.Request(before))
	require.True(t, p.Broken("dev", before), "a deferred file calls itself so: nothing is removed")
	for n := range 7 {
		k := platform.RequestKey{Team: before.Team, Name: fmt.Sprintf("new%d", n)}
		require.Equal(t, n >= 3, p.Request(k).Deferred, k)
		require.Equal(t, n >= 3, p.Broken("dev", k), "a record of a deferred request would stay")
	}
	require.Equal(t, map[string]int{"postgres": 3}, p.DeferredIn("dev"), "the broken one names no environment")

	p, err = l.Load(files)
	require.NoError(t, err)
	require.Equal(t, 1, p.Deferred())
	p, err = l.Load(files)
	require.NoError(t, err)
	require.Zero(t, p.Deferred())
	require.Empty(t, p.DeferredIn("dev"))
	require.Equal(t, known(whole), known(p))
}

// TestARequestMayBeBoundToADeferredOne has a new request bound to another one that is deferred: that is no mistake of anybody's.
func TestARequestMayBeBoundToADeferredOne(t *testing.T) {
	files := large(t, 2)
	l := &platform.Loader{AtOnce: 1}
	first, err := l.Load(files)
	require.NoError(t, err)
	team, head := first.Requests[0].Key.Team, "apiVersion: transom.dev/v1alpha1\nkind: "
	files = maps.Clone(files)
	for name, text := range map[string]string{
		"offerings/shop/offering.yaml":            head + "Offering\nmetadata: {name: shop}\nspec: {title: Shop}\n",
		"offerings/shop/1.0.0/version.yaml":       head + "Version\nmetadata: {name: shop}\nspec: {bindings: {database: {offerings: [postgres], required: true}}}\n",
		"offerings/shop/1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
		"requests/" + team + "/a.yaml":            head + "Request\nmetadata: {name: a}\nspec: {offering: shop, version: \"1\", bindings: {database: b}, environments: {dev: {}}}\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	files["requests/"+team+"/b.yaml"] = newRequest("b")
	p, err := l.Load(files)
	require.NoError(t, err)
	require.True(t, p.Request(platform.RequestKey{Team: team, Name: "b"}).Deferred)
	require.Equal(t, first.Problems, p.Problems)
	delete(files, "requests/"+team+"/b.yaml")
	p, err = l.Load(files)
	require.NoError(t, err)
	require.Greater(t, len(p.Problems), len(first.Problems), "now there is none")
}
