package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/strictyaml"
)

// kustomization is one file, decoded.
type kustomization struct {
	file string // in its tree
	root *yaml.Node
	spec *types.Kustomization
}

// contents checks every path that Kustomize would follow and every text that it would parse.
func (g *guard) contents(k *kustomization) {
	for i, p := range k.spec.Resources {
		g.resource(k, field("resources", i), p)
	}
	for i, p := range k.spec.Bases { //nolint:staticcheck // published bases have them
		g.resource(k, field("bases", i), p)
	}
	for i, p := range k.spec.Components {
		g.directory(k, field("components", i), p)
	}
	for i, p := range k.spec.Patches {
		g.patch(k, field("patches", i), p)
	}
	for i, p := range k.spec.PatchesJson6902 { //nolint:staticcheck // published bases have them
		g.patch(k, field("patchesJson6902", i), p)
	}
	for i, p := range k.spec.PatchesStrategicMerge { //nolint:staticcheck // published bases have them
		g.patch(k, field("patchesStrategicMerge", i), strategicMerge(p))
	}
	for i, r := range k.spec.Replacements {
		g.replacement(k, field("replacements", i), r)
	}
	if len(k.spec.Transformers) > maxTransformers {
		g.reportField(k, "transformers", "too-many", "lists %d; at most %d are built", len(k.spec.Transformers), maxTransformers)
		return
	}
	for i, entry := range k.spec.Transformers {
		g.transformer(k, field("transformers", i), entry)
	}
	if len(k.spec.Configurations) > maxTransformers {
		g.reportField(k, "configurations", "too-many", "lists %d; at most %d are read", len(k.spec.Configurations), maxTransformers)
		return
	}
	for i, entry := range k.spec.Configurations {
		g.configurations(k, field("configurations", i), entry)
	}
	for _, affix := range []string{k.spec.NamePrefix, k.spec.NameSuffix} {
		if affix != "" {
			g.affixes[affix] = true
		}
	}
	g.objects += len(k.spec.ConfigMapGenerator)
	for i, c := range k.spec.ConfigMapGenerator {
		g.configMap(k, field("configMapGenerator", i), c)
	}
}

func (g *guard) resource(k *kustomization, field, p string) {
	target, ok := g.local(k, field, p)
	switch {
	case !ok:
	case g.isDir(target):
		g.hasKustomization(k, field, p, target)
	default:
		g.objects += g.parsed(k, field, p, target)
	}
}

func (g *guard) directory(k *kustomization, field, p string) {
	if target, ok := g.local(k, field, p); ok {
		g.hasKustomization(k, field, p, target)
	}
}

func (g *guard) hasKustomization(k *kustomization, field, p, target string) {
	if k.contains(target) {
		g.reportField(k, field, "cycle", "%q is the kustomization itself or above it", p)
		return
	}
	g.reach(target)
	if !g.isFile(path.Join(target, KustomizationFile)) {
		g.reportField(k, field, "missing", "no %s in %q", KustomizationFile, p)
		return
	}
	g.listings = append(g.listings, listing{from: k, field: field, target: target})
}

// contains reports whether the directory is the kustomization's own or one above it.
func (k *kustomization) contains(dir string) bool {
	own := path.Dir(k.file)
	return dir == "." || own == dir || strings.HasPrefix(own, dir+"/")
}

func (g *guard) patch(k *kustomization, field string, p types.Patch) {
	if p.Path != "" {
		if target, ok := g.local(k, field+".path", p.Path); ok {
			g.parsed(k, field+".path", p.Path, target)
		}
	}
	if p.Patch != "" {
		g.inline(k, field+".patch", p.Patch)
	}
	if g.tree.Overlay && p.Target == nil {
		g.reportField(k, field, "no-target",
			"an environment's overlay meets every instance, so it patches by target; add one")
	}
}

func (g *guard) replacement(k *kustomization, field string, r types.ReplacementField) {
	if r.Path == "" {
		return
	}
	target, ok := g.local(k, field+".path", r.Path)
	if !ok || !g.isRegular(k, field+".path", r.Path, target) {
		return
	}
	root := g.read(target)
	switch {
	case root == nil:
	case root.Kind == yaml.SequenceNode:
		g.strictly(target, root, &[]types.Replacement{})
	default:
		g.strictly(target, root, &types.Replacement{})
	}
}

// inline checks a patch that is written into the kustomization as text.
func (g *guard) inline(k *kustomization, field, text string) {
	documents, problems := strictyaml.Scan([]byte(text), strictyaml.Options{Documents: true, Aliases: true})
	for _, d := range documents {
		g.keys(k.file, d)
	}
	for _, p := range problems {
		g.reportField(k, field, p.Rule, "line %d: %s", p.Line, p.Message)
	}
}

func (g *guard) configMap(k *kustomization, field string, c types.ConfigMapArgs) {
	for i, source := range c.FileSources {
		_, p, keyed := strings.Cut(source, "=")
		if !keyed {
			p = source
		}
		g.data(k, fmt.Sprintf("%s.files[%d]", field, i), p)
	}
	for i, p := range c.EnvSources {
		g.data(k, fmt.Sprintf("%s.envs[%d]", field, i), p)
	}
	if c.EnvSource != "" {
		g.data(k, field+".env", c.EnvSource)
	}
}

// data checks a file that Kustomize copies without parsing it.
func (g *guard) data(k *kustomization, field, p string) {
	target, ok := g.local(k, field, p)
	if !ok || !g.isRegular(k, field, p, target) {
		return
	}
	if info, err := fs.Stat(g.tree.Files, target); err == nil {
		g.over(target, limitFile, info.Size())
	}
}

// parsed checks a file that Kustomize parses, and returns how many objects or patches there are in it.
func (g *guard) parsed(k *kustomization, field, p, target string) (documents int) {
	if !g.isRegular(k, field, p, target) {
		return 0
	}
	documents, scanned := g.scanned[target]
	if !scanned {
		found := source{documents: g.scan(target, strictyaml.Options{Documents: true, Aliases: true, Size: MaxFile})}
		documents = len(found.objects())
		g.scanned[target] = documents
	}
	return documents
}

func (g *guard) isRegular(k *kustomization, field, p, target string) bool {
	if g.isFile(target) {
		return true
	}
	g.reportField(k, field, "missing", "no file %q", p)
	return false
}

// localPath matches the paths that are allowed: no scheme, user, port or query, so that nothing can take it for a remote.
var localPath = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/?$`)

// local resolves a path against the kustomization's directory. It must stay inside the tree and outside its tests.
func (g *guard) local(k *kustomization, field, p string) (target string, ok bool) {
	switch {
	case looksRemote(p):
		g.reportField(k, field, "remote", "%q is remote; copy what it names into %s", p, g.tree.Dir)
	case path.IsAbs(p):
		g.reportField(k, field, "absolute", "%q is absolute; write it relative to this file", p)
	case !localPath.MatchString(p):
		g.reportField(k, field, "path", "%q is not a plain relative path; use letters, digits, '.', '_', '-' and '/'", p)
	case slices.ContainsFunc(strings.Split(p, "/"), func(name string) bool { return name != ".." && strings.Contains(name, "..") }):
		g.reportField(k, field, "path", "%q has two dots in a name; rename it", p)
	default:
		return g.inside(k, field, p)
	}
	return "", false
}

func (g *guard) inside(k *kustomization, field, p string) (target string, ok bool) {
	target = path.Join(path.Dir(k.file), p)
	switch {
	case target == ".." || strings.HasPrefix(target, "../"):
		g.reportField(k, field, "escapes", "%q leaves %s", p, g.tree.Dir)
	case target == testsDir || strings.HasPrefix(target, testsDir+"/"):
		g.reportField(k, field, "tests", "%q is below tests/, which is no part of the version", p)
	default:
		return target, true
	}
	return "", false
}

// below returns name relative to dir, if it is inside.
func below(dir, name string) (string, bool) {
	return strings.CutPrefix(name, dir+"/")
}

func looksRemote(p string) bool {
	lower := strings.ToLower(p)
	return strings.ContainsAny(p, ":@?") || strings.Contains(p, "//") ||
		lower == "github.com" || strings.HasPrefix(lower, "github.com/")
}

func field(name string, i int) string { return fmt.Sprintf("%s[%d]", name, i) }

func (g *guard) reportField(k *kustomization, field, rule, format string, args ...any) {
	if g.reported[k.file] >= maxReported {
		return
	}
	n := Lookup(k.root, splitField(field)...)
	g.report(k.file, n, field, rule, format, args...)
}
