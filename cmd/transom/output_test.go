package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
)

func TestColoursAreForTerminalsOnly(t *testing.T) {
	var buffer bytes.Buffer
	require.False(t, painter(&buffer).on)
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	require.False(t, painter(file).on, "a file is no terminal")
	require.NoError(t, file.Close())

	require.Equal(t, "plain", paint{}.red("plain"))
	require.Equal(t, "\x1b[31mred\x1b[0m", paint{on: true}.red("red"))
	require.Empty(t, paint{on: true}.red(""))
}

func TestAPlanIsColouredLikeADiff(t *testing.T) {
	change := render.Change{
		Environment: "prod", Cluster: "east", Team: "store", Request: "shop", Kind: "Deployment", Namespace: "store", Name: "shop-web",
		Action: render.Changed, Diff: "@@ -1 +1 @@\n same\n-old\n+new\n",
	}
	west := change
	west.Cluster = "west"
	gone := render.Change{Environment: "prod", Cluster: "east", Team: "store", Kind: "Namespace", Name: "store", Action: render.Removed}
	left := render.Change{Environment: "prod", Cluster: "north", Action: render.LetGo}
	p := planned{Base: "HEAD", Changes: []render.Change{change, west, gone, left}}
	p.Environments = []plannedEnvironment{{Name: "prod", Digest: "sha256:abc", Changing: 1, Requests: 3}}
	var out bytes.Buffer
	p.text(&out, paint{on: true}, false)
	text := out.String()
	for _, want := range []string{"\x1b[31m-old\x1b[0m", "\x1b[32m+new\x1b[0m", "\x1b[2m@@ -1 +1 @@\x1b[0m", "\x1b[31m- Namespace store\x1b[0m"} {
		require.Contains(t, text, want)
	}

	out.Reset()
	p.text(&out, paint{}, false)
	require.Equal(t, `prod  1 of 3 requests
  fleet
    let go, nothing is deleted on north
  store (the team's namespace)
    - Namespace store on east
  store/shop
    ~ Deployment store/shop-web on east, west
        @@ -1 +1 @@
         same
        -old
        +new
plan of prod: sha256:abc
compared with HEAD: objects 0 added, 2 changed, 0 replaced, 1 removed on 3 clusters; 1 cluster let go
`, out.String())
}

func TestAScreenRedrawsOnlyWhereSomebodyWatches(t *testing.T) {
	var out bytes.Buffer
	plain := &screen{w: &out}
	plain.show("a", "b")
	plain.show("a", "c")
	plain.show("a", "c")
	plain.end()
	require.Equal(t, "a\nb\nc\n", out.String(), "a line is printed when it is new")

	out.Reset()
	live := &screen{w: &out, terminal: true}
	live.show("a", "b")
	live.show("c")
	live.end()
	require.Equal(t, "a\nb\n\x1b[2A\x1b[Jc\n\x1b[1A\x1b[J", out.String(), "a frame replaces the one before")
}

func TestALineFitsTheTerminal(t *testing.T) {
	require.Equal(t, "four", fit("four", 5))
	require.Equal(t, "four", fit("four and more", 5))
	require.Equal(t, "\x1b[31mfour\x1b[0m", fit("\x1b[31mfour and\x1b[0m more", 5), "colours take no room and always end")
	require.NotContains(t, fit(strings.Repeat("a\n", 3), 80), "\n")
}
