package kustomize_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

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

// made is an offering that requests with any values are built of, with its program. The effect of values is looked for:
// TestFeaturesInPairs has all pairs of features, and all objects.
type made struct {
	wrapper kustomize.Wrapper
	program *compiler.Program
	usual   []string // the documents of a usual request
}

// makeOffering returns an offering with a few features that is built of templates, or none. Kustomize takes nearly all the
// time of an execution, so the offering has only those objects that its features name.
func makeOffering(t testing.TB, features ...feature) *made {
	w, usual := offering(t, features, nil), instances()[0]
	files := w.Trees[0].Files.(fstest.MapFS)
	var kept []string
	for _, document := range documents(string(files["objects.yaml"].Data)) {
		if slices.ContainsFunc(features, func(f feature) bool { return f.names(document) }) {
			kept = append(kept, document)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	files["objects.yaml"].Data = []byte(strings.Join(kept, "\n---\n"))
	p := compiler.Compile(w)
	if p.Why(usual.of(w)) != nil {
		return nil
	}
	built, err := p.Build(usual.of(w))
	require.NoError(t, err)
	return &made{w, p, documents(string(built))}
}

// names reports whether a feature says the kind of a document somewhere.
func (f feature) names(document string) bool {
	_, after, _ := strings.Cut(document, "kind: ")
	name, _, _ := strings.Cut(after, "\n")
	kind := "kind: " + name
	return strings.Contains(strings.ReplaceAll(fmt.Sprint(f.adds, f.files), "kind:", "kind: "), kind) || strings.Contains(fmt.Sprint(f.adds), "kind:.*")
}

func documents(manifest string) []string { return strings.Split(manifest, "\n---\n") }

// compiled reports whether a request is built of a template. A program makes only so many templates: then there is a new one, as
// hardly any execution would compare anything from then on.
func (m *made) compiled(w kustomize.Wrapper) bool {
	why := m.program.Why(w)
	if why != nil && strings.Contains(why.Error(), "shapes of inputs") {
		m.program = compiler.Compile(m.wrapper)
		why = m.program.Why(w)
	}
	return why == nil
}

// of is the wrapper of a request with these values.
func (m *made) of(text, word, name, image string, count uint32, flag bool) kustomize.Wrapper {
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

// FuzzProgram takes one of many offerings of two features and a request with any values, and builds it both ways. An offering
// is made when an execution takes it first, which costs as much as ten executions: there is one for each feature, as
// TestFeaturesInPairs has all pairs.
func FuzzProgram(f *testing.F) {
	list := slices.DeleteFunc(features(f), func(one feature) bool { return one.plain || one.adds["patchesJson6902"] != nil }) // of which Kustomize warns
	beside := slices.DeleteFunc(slices.Clone(list), func(one feature) bool { return one.apart })
	offerings := map[int]*made{}
	addHostile(f)
	f.Fuzz(func(t *testing.T, which uint8, text, word, name, image string, count uint32, flag bool) {
		one := int(which) % len(list)
		m, known := offerings[one]
		if !known {
			m = makeOffering(t, list[one], beside[one*7%len(beside)])
			offerings[one] = m
		}
		if m == nil {
			return
		}
		w := m.of(text, word, name, image, count, flag)
		bounded.Usual.Run(func() {
			if !m.compiled(w) {
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
	offerings := []*made{
		makeOffering(f, named["text"], named["flag"]),
		makeOffering(f, named["env-element"], named["args"], named["image"], named["port"], named["map"]),
	}
	addHostile(f)
	f.Fuzz(func(t *testing.T, which uint8, text, word, name, image string, count uint32, flag bool) {
		m := offerings[int(which)%len(offerings)]
		w := m.of(text, word, name, image, count, flag)
		bounded.Usual.Run(func() {
			if !m.compiled(w) {
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

// signedBase is text such as 0o-7, which this parser alone takes for a number. Kustomize writes it as it is, and a cluster gets it as text.
var signedBase = regexp.MustCompile(`^-?0[ob][-+]`)

// texts are all texts in those objects of a manifest that are not as in the usual one. They have the same kinds.
func (m *made) texts(t *testing.T, manifest []byte) map[string]bool {
	texts := map[string]bool{}
	var collect func(n *yaml.Node)
	collect = func(n *yaml.Node) {
		isText := n.ShortTag() == "!!str" || n.ShortTag() == "!!merge" || signedBase.MatchString(n.Value) // as a value, << is text
		if n.Kind == yaml.ScalarNode && isText {
			texts[n.Value] = true
		}
		for _, below := range n.Content {
			collect(below)
		}
	}
	list := documents(string(manifest))
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
