package kustomize_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

// FuzzProgram takes one of 16 offerings of four features and a request with any values, and builds it both ways. A program is
// made once: the effect of values on it is looked for, and TestFeaturesInPairs has all pairs of features.
func FuzzProgram(f *testing.F) {
	list := features(f)
	for i, text := range hostile {
		if i%2 == 0 {
			f.Add(uint8(i), text, "word", "name", "image:1", int64(i), true)
		} else {
			f.Add(uint8(2*i), "text", text, text, text, int64(i)<<40, false)
		}
	}
	type compiled struct {
		wrapper kustomize.Wrapper
		program *compiler.Program
	}
	var made [16]*compiled // an execution is alone in its process
	f.Fuzz(func(t *testing.T, which uint8, text, word, name, image string, count int64, flag bool) {
		at := func(n int) feature { return list[n%len(list)] }
		n := int(which) % len(made)
		if made[n] == nil {
			w := offering(t, []feature{at(n), at(3*n + 1)}, []feature{at(5*n + 2), at(7*n + 3)})
			made[n] = &compiled{w, compiler.Compile(w)}
		}
		w, p := made[n].wrapper, made[n].program
		bounded(t, func() {
			_ = same(t, p, instance{"shop-", "payments", parameters(text, word, name, image, count, flag, word, "B")}.of(w))
		})
	})
}

// bounded runs one execution of a fuzz target, which may take neither long nor much.
func bounded(t *testing.T, execution func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	execution()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	require.Less(t, took, 20*time.Second)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30))
}
