package kustomize_test

import (
	"strings"
	"testing"

	"transom.dev/render/internal/kustomize"
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
	p := kustomize.Compile(w)
	for _, text := range hostile {
		_ = same(t, p, instance{"shop-", "payments", parameters(text, text, text, text, 1, true, "A", "B")}.of(w))
		_ = same(t, p, instance{"shop-", "payments", parameters(text, "word", "name", "image", 1, true, text)}.of(w))
	}
}

// FuzzProgram makes an offering of up to four features and a request with any values, and builds it both ways.
func FuzzProgram(f *testing.F) {
	list := features(f)
	for i, text := range hostile {
		if i%2 == 0 {
			f.Add(uint8(i), uint8(3*i), uint8(5*i), uint8(7*i), text, "word", "name", "image:1", int64(i), true)
		} else {
			f.Add(uint8(2*i), uint8(0), uint8(i), uint8(0), "text", text, text, text, int64(i)<<40, false)
		}
	}
	f.Fuzz(func(t *testing.T, a, b, c, d uint8, text, word, name, image string, count int64, flag bool) {
		at := func(n uint8) feature { return list[int(n)%len(list)] }
		w := offering(t, []feature{at(a), at(b)}, []feature{at(c), at(d)})
		p := kustomize.Compile(w)
		_ = same(t, p, instance{"shop-", "payments", parameters(text, word, name, image, count, flag, word, "B")}.of(w))
		_ = same(t, p, instance{"cart-", "search", parameters(word, text, "other", image, count, !flag, name, "C")}.of(w))
	})
}
