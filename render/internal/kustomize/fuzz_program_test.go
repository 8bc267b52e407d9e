package kustomize_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"transom.dev/e2e/bounded"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
)

// hostile is text that YAML, JSON or Kustomize could take for something else.
var hostile = []string{
	"y", "no", "on", "True", "null", "~", "0o17", "017", "0x1F", "1e3", "1_000", "1:30", ".5", ".inf", "2026-01-01", "12345678901234567890",
	"<<", "=", "&a", "*a", "!x", "---", "...", "${HOME}", "$(x)", "{{.x}}", "{}", "[]", "{a: 1}", "- a", "a: b", "a #b", "#a", "'", `"`, `\`,
	"%a", "@a", "`a`", "|", ">", "?", "", " a", "a ", "\ta", "a\n", "\na", "a\n\n\nb", "  a\n b", "a\r\nb", "\r", "a\u0085b", "a\u2028b", "\ufeffa",
	"\u0000", "\u007f", "é", "日本", "\U0001F600", "\xff", strings.Repeat("long ", 30), strings.Repeat("word", 60), "http://host:80/a?b=c&d=<e>",
	"web", "settings", "shop-web", "payments", "LOG_LEVEL", "app:1.0", "20Gi", "250m", "1.5", "-1", "100",
}

// TestHostileValues writes each hostile text to every kind of place.
func TestHostileValues(t *testing.T) {
	var all []feature
	for _, f := range features(t) {
		switch f.name {
		case "text", "created", "env", "args", "map", "merge-patch", "generator-of-inputs", "image":
			all = append(all, f)
		}
	}
	w := offering(t, all, nil)
	p := compiler.Compile(w)
	for _, text := range hostile {
		_ = same(t, p, instance{"shop-", "payments", parameters(text, text, text, text, 1, true, "A", "B")}.of(w))
		_ = same(t, p, instance{"shop-", "payments", parameters(text, "word", "name", "image", 1, true, text)}.of(w))
	}
}

// made is an offering that requests with any values are built of, with its program. It is made once, as an execution is alone in
// its process: the effect of values is looked for, and TestFeaturesInPairs has all pairs of features.
type made struct {
	wrapper kustomize.Wrapper
	program *compiler.Program
	usual   []string // the documents of a usual request
}

func makeOffering(f *testing.F, version, overlay []feature) made {
	w, usual := offering(f, version, overlay), instances()[0]
	p := compiler.Compile(w)
	if p.Why(usual.of(w)) != nil {
		return made{}
	}
	built, err := p.Build(usual.of(w))
	require.NoError(f, err)
	return made{w, p, documents(built)}
}

func documents(manifest []byte) []string { return strings.Split(string(manifest), "\n---\n") }

// of is the wrapper of a request with these values.
func (m made) of(text, word, name, image string, count uint32, flag bool) kustomize.Wrapper {
	return instance{"shop-", "payments", parameters(text, word, name, image, int64(count), flag, word, "B")}.of(m.wrapper)
}

func addHostile(f *testing.F) {
	for i, text := range hostile {
		if i%2 == 0 {
			f.Add(uint8(i), text, "word", "name", "image:1", uint32(i), true)
		} else {
			f.Add(uint8(2*i), "text", text, text, text, uint32(i)<<20, false)
		}
	}
}

// FuzzProgram takes one of some offerings of four features and a request with any values, and builds it both ways. Nearly all
// the time of an execution is Kustomize's, for which FuzzCompiled is there.
func FuzzProgram(f *testing.F) {
	list := features(f)
	at := func(n int) feature { return list[n%len(list)] }
	var offerings []made
	for n := range 16 {
		if m := makeOffering(f, []feature{at(n), at(3*n + 1)}, []feature{at(5*n + 2), at(7*n + 3)}); m.program != nil {
			offerings = append(offerings, m)
		}
	}
	require.Greater(f, len(offerings), 8)
	addHostile(f)
	f.Fuzz(func(t *testing.T, which uint8, text, word, name, image string, count uint32, flag bool) {
		m := offerings[int(which)%len(offerings)]
		w := m.of(text, word, name, image, count, flag)
		bounded.Usual.Run(func() {
			if m.program.Why(w) != nil {
				return
			}
			want, err := kustomize.Build(w)
			require.NoError(t, err, "a build that fails is not compiled")
			got, err := m.program.Build(w)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	})
}

// FuzzCompiled builds the compiled way alone, of one of two offerings that copy whole values, so that Kustomize runs for few
// executions. Building again gives the same bytes; there are the usual objects; and a text of letters, digits and signs is read
// back as it was. Kustomize changes some other characters.
func FuzzCompiled(f *testing.F) {
	named := map[string]feature{}
	for _, one := range features(f) {
		named[one.name] = one
	}
	offerings := []made{
		makeOffering(f, []feature{named["text"], named["count"]}, []feature{named["flag"], named["map"]}),
		makeOffering(f, []feature{named["env-element"], named["args"]}, []feature{named["image"], named["port"]}),
	}
	addHostile(f)
	f.Fuzz(func(t *testing.T, which uint8, text, word, name, image string, count uint32, flag bool) {
		m := offerings[int(which)%len(offerings)]
		w := m.of(text, word, name, image, count, flag)
		bounded.Usual.Run(func() {
			if m.program.Why(w) != nil {
				return
			}
			built, err := m.program.Build(w)
			require.NoError(t, err)
			again, err := m.program.Build(w)
			require.NoError(t, err)
			require.Equal(t, string(built), string(again))
			texts := m.texts(t, built)
			if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
				require.True(t, texts[text], "%q is not in\n%s", text, built)
			}
		})
	})
}

// texts are all texts in those objects of a manifest that are not as in the usual one. They have the same kinds.
func (m made) texts(t *testing.T, manifest []byte) map[string]bool {
	texts := map[string]bool{}
	var collect func(n *yaml.Node)
	collect = func(n *yaml.Node) {
		if tag := n.ShortTag(); n.Kind == yaml.ScalarNode && (tag == "!!str" || tag == "!!merge") { // as a value, << is text
			texts[n.Value] = true
		}
		for _, below := range n.Content {
			collect(below)
		}
	}
	list := documents(manifest)
	require.Len(t, list, len(m.usual))
	for i, document := range list {
		if document == m.usual[i] {
			continue
		}
		var node yaml.Node
		require.NoError(t, yaml.Unmarshal([]byte(document), &node))
		collect(&node)
		var object, usual struct{ Kind string }
		require.NoError(t, node.Decode(&object))
		require.NoError(t, yaml.Unmarshal([]byte(m.usual[i]), &usual))
		require.Equal(t, usual, object)
	}
	texts[instances()[0].parameters["text"].(string)] = true
	return texts
}
