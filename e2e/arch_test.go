package e2e_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// The code map: which packages there are, and which of ours each may import. A package that earns its place is added
// here, where a reviewer sees it.
var arrows = map[string][]string{
	"cmd/transom": {
		"cmd/transom/internal/audit", "cmd/transom/internal/catalog", "cmd/transom/internal/client", "cmd/transom/internal/demo",
		"cmd/transom/internal/diff", "cmd/transom/internal/enroll", "cmd/transom/internal/importer", "cmd/transom/internal/installation", "cmd/transom/internal/plan",
		"cmd/transom/internal/preview", "cmd/transom/internal/remote", "cmd/transom/internal/schema",
		"cmd/transom/internal/skew", "cmd/transom/internal/states", "cmd/transom/internal/terminal", "cmd/transom/internal/tidy", "cmd/transom/internal/tree",
		"cmd/transom/internal/usage", "cmd/transom/internal/workspace", "cmd/transom/internal/yamledit",
		"reconciler", "reconciler/check", "reconciler/gitrepo", "reconciler/lease", "reconciler/notify", "reconciler/promotion", "reconciler/trigger", "reconciler/status", "reconciler/forge", "reconciler/tracing", "reconciler/web", "reconciler/web/access", "reconciler/web/api", "reconciler/web/console",
		"render", "render/builtin", "render/decision", "render/event", "render/gate", "render/golden", "render/platform", "render/preview", "render/sealed", "render/state", "render/strictyaml", "render/wording", "render/worker", "fleet", "fleet/apply", "fleet/credential",
		"examples/install", // the manifests are part of the binary
	},
	"cmd/image": {},
	"cmd/transom/internal/audit": {
		"cmd/transom/internal/remote", "cmd/transom/internal/terminal",
		"reconciler/gitrepo", "reconciler/status", "reconciler/web", "reconciler/web/api", "render", "render/platform", "render/state", "render/wording",
	},
	"cmd/transom/internal/catalog": {
		"cmd/transom/internal/schema", "cmd/transom/internal/states", "cmd/transom/internal/terminal", "cmd/transom/internal/workspace",
		"cmd/transom/internal/yamledit", "render/platform", "render/preview",
	},
	"cmd/transom/internal/client": {"reconciler/status", "reconciler/web", "reconciler/web/api"},
	"cmd/transom/internal/demo": {
		"cmd/transom/internal/client", "cmd/transom/internal/remote", "cmd/transom/internal/terminal", "cmd/transom/internal/workspace",
		"reconciler/status", "render/gate", "render/platform", "render/state",
	},
	"cmd/transom/internal/diff": {
		"cmd/transom/internal/catalog", "cmd/transom/internal/plan", "cmd/transom/internal/schema", "cmd/transom/internal/states",
		"cmd/transom/internal/terminal", "cmd/transom/internal/usage", "cmd/transom/internal/workspace",
		"render", "render/platform", "render/preview", "render/state",
	},
	"cmd/transom/internal/installation": {"cmd/transom/internal/workspace", "examples/install", "render", "render/builtin", "render/inquiry", "render/platform", "render/state"},
	"cmd/transom/internal/enroll":       {"cmd/transom/internal/installation", "fleet/credential"},
	"cmd/transom/internal/importer":     {"fleet/credential", "render/state"},
	"cmd/transom/internal/plan": {
		"cmd/transom/internal/states", "cmd/transom/internal/terminal", "cmd/transom/internal/workspace",
		"reconciler", "reconciler/gitrepo", "reconciler/promotion", "render", "render/decision", "render/gate", "render/platform", "render/preview", "render/state", // a plan is the daemon's own passes
	},
	"cmd/transom/internal/preview": {"cmd/transom/internal/states", "reconciler/gitrepo"},
	"cmd/transom/internal/remote":  {"reconciler/gitrepo"},
	"cmd/transom/internal/schema":  {"cmd/transom/internal/workspace", "cmd/transom/internal/yamledit", "render/decision", "render/platform"},
	"cmd/transom/internal/skew":    {"cmd/transom/internal/terminal", "reconciler/status", "render/gate", "render/wording"},
	"cmd/transom/internal/states": {
		"cmd/transom/internal/remote", "cmd/transom/internal/workspace", "reconciler/gitrepo", "render", "render/platform", "render/preview", "render/state",
	},
	"cmd/transom/internal/terminal": {},
	"cmd/transom/internal/tidy":     {"cmd/transom/internal/states", "render", "render/decision", "render/platform", "render/state"},
	"cmd/transom/internal/tree":     {"cmd/transom/internal/terminal", "reconciler/status", "render/gate", "render/platform", "render/state", "render/wording"},
	"cmd/transom/internal/usage": {
		"cmd/transom/internal/catalog", "cmd/transom/internal/states", "cmd/transom/internal/terminal", "render/platform", "render/state",
	},
	"cmd/transom/internal/workspace": {"cmd/transom/internal/remote", "reconciler/gitrepo", "render", "render/platform", "render/wording", "render/edits"},
	"cmd/transom/internal/yamledit":  {},
	"reconciler": {
		"reconciler/check", "reconciler/gitrepo", "reconciler/promotion", "reconciler/trigger", "reconciler/status",
		"render", "render/decision", "render/inquiry", "render/platform", "render/state", "render/wording", "fleet", "fleet/apply", // fleet reports in apply's words
	},
	"reconciler/gitrepo":                 {"render/wording"},
	"reconciler/check":                   {"reconciler/promotion", "render/expression", "render/inquiry", "render/wording"},
	"reconciler/lease":                   {},
	"reconciler/tracing":                 {"fleet", "reconciler", "render/state", "render/wording"},
	"reconciler/promotion":               {"render/decision", "render/gate", "render/platform", "render/inquiry", "render/state"},
	"reconciler/status":                  {"render/decision", "render/event", "render/gate", "render/platform", "render/state", "render/wording"},
	"reconciler/forge":                   {"reconciler/status", "reconciler/trigger", "render/gate", "render/platform", "render/wording"},
	"reconciler/trigger":                 {},
	"reconciler/notify":                  {"reconciler/status", "render/event", "render/platform", "render/wording"},
	"reconciler/web/access":              {},
	"reconciler/web/console":             {"reconciler/status", "reconciler/web/api", "render/decision", "render/gate", "render/inquiry", "render/platform", "render/state", "render/strictyaml", "render/wording"},
	"reconciler/web/api":                 {"reconciler/status", "render/decision", "render/gate", "render/platform"},
	"reconciler/web":                     {"reconciler/status", "reconciler/web/access", "reconciler/web/api", "reconciler/web/console", "render/decision", "render/platform", "render/state", "render/wording"},
	"render":                             {"render/internal/helm", "render/internal/immutable", "render/internal/kinds", "render/internal/manifests", "render/internal/kustomize", "render/internal/kustomize/compiler", "render/platform", "render/schema", "render/sealed", "render/state", "render/strictyaml", "render/worker", "render/builtin", "render/edits", "render/expression", "render/wording"},
	"render/golden":                      {"render", "render/edits", "render/internal/immutable", "render/platform", "render/preview", "render/state", "render/strictyaml", "render/wording"},
	"render/preview":                     {"render", "render/internal/immutable", "render/internal/keyorder", "render/internal/manifests", "render/platform", "render/sealed", "render/state"},
	"render/internal/helm":               {"render/internal/keyorder", "render/state"},
	"render/internal/immutable":          {"render/builtin", "render/internal/manifests"},
	"render/internal/manifests":          {},
	"render/internal/kinds":              {"render/wording"},
	"render/internal/kustomize":          {"render/platform", "render/state", "render/strictyaml", "render/builtin", "render/internal/keyorder", "render/internal/pattern"},
	"render/internal/kustomize/compiler": {"render/internal/kustomize"},
	"render/platform":                    {"render/builtin", "render/decision", "render/event", "render/gate", "render/inquiry", "render/wording", "render/expression", "render/schema", "render/sealed", "render/strictyaml", "render/internal/fieldpath", "render/internal/pattern"},
	"render/state":                       {"render/gate", "render/platform", "render/internal/keyorder"},
	"render/sealed":                      {"render/strictyaml"},
	"render/schema":                      {"render/wording", "render/expression", "render/internal/fieldpath"},
	"render/strictyaml":                  {"render/wording", "render/internal/fieldpath"},
	"render/worker":                      {"render/internal/helm", "render/internal/kustomize"},
	"fleet":                              {"fleet/apply", "fleet/credential", "render/platform", "render/sealed", "render/state", "render/wording"},
	"fleet/apply":                        {"fleet/credential", "render/platform", "render/sealed", "render/state", "render/builtin", "render/expression"},
	"fleet/credential":                   {},
	"e2e":                                {},
	"e2e/bounded":                        {},
	"e2e/screenshots":                    {},
	"examples":                           {},
	"examples/install":                   {},
	"render/wording":                     {},
	"render/builtin":                     {},
	"render/event":                       {},
	"render/gate":                        {},
	"render/decision":                    {},
	"render/inquiry":                     {"render/expression"},
	"render/expression":                  {"render/wording", "render/internal/pattern"},
	"render/internal/fieldpath":          {},
	"render/internal/keyorder":           {},
	"render/internal/pattern":            {},
	"render/edits":                       {},
}

// The doors: who alone imports a library, and everything below it. Nobody, where there is none. The compiler stands behind the door
// of Kustomize: it gives the bytes of the package that it lies in.
const compiler = "render/internal/kustomize/compiler"

var doors = []struct{ library, door string }{
	{"sigs.k8s.io/kustomize", "render/internal/kustomize"},
	{"helm.sh/helm", "render/internal/helm"},
	{"github.com/Masterminds/sprig", "render/internal/helm"},
	{"github.com/santhosh-tekuri/jsonschema", "render/internal/helm"},
	{"github.com/go-git", "reconciler/gitrepo"},
	{"github.com/ProtonMail/go-crypto", "reconciler/gitrepo"},
	{"go.opentelemetry.io", "reconciler/tracing"},
	{"github.com/fluxcd", "fleet/apply"},
	{"github.com/fsnotify/fsnotify", "reconciler/trigger"},
	{"github.com/google/go-containerregistry", "cmd/image"},
	{"filippo.io/age", "render/sealed"},
	{"github.com/getsops", ""},
	{"github.com/lmittmann/tint", "cmd/transom"},
	{"github.com/nicholas-fedor/shoutrrr", "reconciler/notify"},
	{"github.com/coreos/go-oidc", "reconciler/web/access"},
	{"github.com/prometheus/client_golang", "reconciler/web"},
	{"github.com/google/go-github", "reconciler/forge"},
	{"gitlab.com/gitlab-org/api", "reconciler/forge"},
	{"github.com/yuin/goldmark", "reconciler/web"},
	{"github.com/google/cel-go", "render/expression"},
	{"k8s.io/client-go/tools/leaderelection", "reconciler/lease"},
	{"github.com/spf13", "cmd/transom"},
	{"testing", "cmd/transom/internal/plan"}, // fstest.MapFS, as a file system in memory
	{"github.com/stretchr/testify", ""},
}

// The packages that log; all others return errors and events. A worker silences the logger of its libraries.
var loggers = []string{"cmd/transom", "reconciler", "render/worker"}

// The pure packages: values and an fs.FS in, plain data out.
var (
	pure   = []string{"render", "render/golden", "render/preview", "render/internal/immutable", "render/internal/manifests", "render/platform", "render/inquiry", "render/state", "render/builtin", "render/decision", "render/edits", "render/event", "render/expression", "render/gate", "render/internal/fieldpath", "render/internal/keyorder", "render/internal/helm", "render/internal/kinds", "render/internal/kustomize", compiler, "render/internal/pattern", "render/schema", "render/strictyaml", "render/wording", "reconciler/promotion"}
	data   = []string{"k8s.io/client-go/applyconfigurations", "k8s.io/client-go/kubernetes/scheme"} // in impure libraries
	impure = []string{"os", "net", "log", "syscall", "math/rand", "math/rand/v2", "crypto/rand", "k8s.io/client-go"}
)

// The top of the repository, but for dotfiles. "make build" makes bin; Git ignores it.
var top = []string{"LICENSE", "Makefile", "README.md", "bin", "cmd", "e2e", "examples", "fleet", "go.mod", "go.sum", "reconciler", "render"}

// Names that say nothing about the content of a package.
var empty = []string{"common", "config", "errors", "helpers", "models", "shared", "types", "util", "utils"}

const module = "transom.dev/"

func TestCodeKeepsToTheMap(t *testing.T) {
	require.Empty(t, violations(t, os.DirFS("..")))
}

// TestMapHasNoUnusedArrow keeps the map from allowing more than the code does: an arrow is added with its first import and
// goes with its last one.
func TestMapHasNoUnusedArrow(t *testing.T) {
	require.Empty(t, unused(t, os.DirFS(".."), arrows))
}

// violations are all places where the code of a repository leaves its map, sorted.
func violations(t *testing.T, repository fs.FS) []string {
	t.Helper()
	found := strangers(t, repository)
	documented := map[string]bool{}
	eachFile(t, repository, token.NewFileSet(), parser.ImportsOnly|parser.ParseComments, func(name string, file *ast.File) {
		pkg := path.Dir(name)
		documented[pkg] = documented[pkg] || introduces(file)
		if !strings.HasSuffix(name, "_test.go") {
			for _, imported := range file.Imports {
				found = append(found, wrong(name, pkg, imported)...)
			}
		}
	})
	for pkg := range documented {
		found = append(found, unplaced(pkg, documented[pkg])...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// unused are the arrows of a map that no import of a repository needs, and its packages that are not there, sorted.
func unused(t *testing.T, repository fs.FS, arrows map[string][]string) (found []string) {
	t.Helper()
	imports := map[string]map[string]bool{} // of files that are no tests, by package
	eachFile(t, repository, token.NewFileSet(), parser.ImportsOnly, func(name string, file *ast.File) {
		pkg := path.Dir(name)
		if imports[pkg] == nil {
			imports[pkg] = map[string]bool{}
		}
		if !strings.HasSuffix(name, "_test.go") {
			for _, imported := range file.Imports {
				imports[pkg][strings.TrimPrefix(strings.Trim(imported.Path.Value, `"`), module)] = true
			}
		}
	})
	for pkg, allowed := range arrows {
		if imports[pkg] == nil {
			found = append(found, pkg+": on the code map, and not there")
			continue
		}
		for _, other := range allowed {
			if !imports[pkg][other] {
				found = append(found, fmt.Sprintf("%s may import %s, and does not", pkg, other))
			}
		}
	}
	slices.Sort(found)
	return found
}

// eachFile parses every Go file of a repository that is the product's, or a test of it.
func eachFile(t *testing.T, repository fs.FS, files *token.FileSet, mode parser.Mode, visit func(name string, file *ast.File)) {
	t.Helper()
	require.NoError(t, fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(repository, name)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(repository, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, source, mode|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(name, file)
		return nil
	}))
}

// skip leaves out folders whose Go files are not the product's: hidden ones, test data and other modules.
func skip(repository fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	_, err := fs.Stat(repository, path.Join(dir, "go.mod"))
	if err == nil || base == "testdata" || strings.HasPrefix(base, ".") {
		return fs.SkipDir
	}
	return nil
}

// strangers are entries of the top folder that nobody agreed on.
func strangers(t *testing.T, repository fs.FS) []string {
	t.Helper()
	entries, err := fs.ReadDir(repository, ".")
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && !slices.Contains(top, entry.Name()) {
			found = append(found, entry.Name()+": not a name of the top folder")
		}
	}
	return found
}

// introduces says whether a file has the comment that every package has somewhere.
func introduces(file *ast.File) bool {
	text := file.Doc.Text()
	return strings.HasPrefix(text, "Package "+file.Name.Name+" ") || file.Name.Name == "main" && strings.HasPrefix(text, "Command ")
}

// unplaced lists the faults of a package as a whole.
func unplaced(pkg string, documented bool) []string {
	var found []string
	if _, ok := arrows[pkg]; !ok {
		found = append(found, pkg+": not on the code map")
	}
	if slices.Contains(empty, path.Base(pkg)) {
		found = append(found, pkg+": a name that says nothing about what is inside")
	}
	if !documented {
		found = append(found, pkg+": no package comment")
	}
	return found
}

// wrong returns the fault of an import in a file that is no test.
func wrong(name, pkg string, imported *ast.ImportSpec) []string {
	library, err := strconv.Unquote(imported.Path.Value)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", name, err)}
	}
	if own, ok := strings.CutPrefix(library, module); ok {
		if !slices.Contains(arrows[pkg], own) {
			return []string{fmt.Sprintf("%s: %s must not import %s", name, pkg, own)}
		}
		return nil
	}
	var found []string
	for _, d := range doors {
		behind := pkg == compiler && d.door == path.Dir(compiler)
		if within(library, d.library) && pkg != d.door && !behind {
			found = append(found, fmt.Sprintf("%s: %s must not import %s; its one door is %q", name, pkg, library, d.door))
		}
	}
	if within(library, "log") && !slices.Contains(loggers, pkg) {
		found = append(found, fmt.Sprintf("%s: %s must not log", name, pkg))
	}
	if slices.Contains(pure, pkg) && !slices.Contains(data, library) && slices.ContainsFunc(impure, func(of string) bool { return within(library, of) }) {
		found = append(found, fmt.Sprintf("%s: %s is pure and must not import %s", name, pkg, library))
	}
	return found
}

// within says whether a library is a package or lies below it.
func within(library, of string) bool {
	return library == of || strings.HasPrefix(library, of+"/")
}

func TestCodeThatLeavesTheMapIsFound(t *testing.T) {
	file := func(doc, pkg string, imports ...string) string {
		text := doc + "package " + pkg + "\n"
		for _, i := range imports {
			text += "import _ " + strconv.Quote(i) + "\n"
		}
		return text
	}
	good := map[string]string{
		"Makefile":                               "",
		".github/x.go":                           "no Go at all",
		"cmd/transom/main.go":                    file("// Command transom is.\n", "main", "transom.dev/reconciler", "github.com/lmittmann/tint", "log/slog"),
		"fleet/fleet.go":                         file("// Package fleet is.\n", "fleet", "transom.dev/fleet/apply", "transom.dev/render/platform"),
		"fleet/more.go":                          file("", "fleet", "context"),
		"fleet/fleet_test.go":                    file("", "fleet_test", "transom.dev/render", "os", "log/slog", "github.com/stretchr/testify/require"),
		"render/render.go":                       file("// Package render is.\n", "render", "transom.dev/render/internal/kustomize", "io/fs"),
		"render/testdata/x.go":                   file("", "x", "transom.dev/fleet"),
		"render/internal/kustomize/kustomize.go": file("// Package kustomize is.\n", "kustomize", "sigs.k8s.io/kustomize/api/krusty"),
		"e2e/sandbox/go.mod":                     "module transom.dev/e2e/sandbox",
		"e2e/sandbox/main.go":                    file("", "main", "k8s.io/kubernetes/cmd/kube-apiserver/app"),
	}
	require.Empty(t, violations(t, tree(good)))

	for name, c := range map[string]struct {
		file, source string
		want         string
	}{
		"render sees fleet":                {"render/x.go", file("", "render", "transom.dev/fleet"), "render/x.go: render must not import fleet"},
		"fleet sees render":                {"fleet/x.go", file("", "fleet", "transom.dev/render"), "fleet/x.go: fleet must not import render"},
		"fleet sees the reconciler":        {"fleet/x.go", file("", "fleet", "transom.dev/reconciler"), "fleet/x.go: fleet must not import reconciler"},
		"cmd goes past a door":             {"cmd/transom/x.go", file("", "main", "transom.dev/render/internal/kustomize"), "cmd/transom/x.go: cmd/transom must not import render/internal/kustomize"},
		"kustomize elsewhere":              {"render/x.go", file("", "render", "sigs.k8s.io/kustomize/kyaml/yaml"), `render/x.go: render must not import sigs.k8s.io/kustomize/kyaml/yaml; its one door is "render/internal/kustomize"`},
		"go-git elsewhere":                 {"fleet/x.go", file("", "fleet", "github.com/go-git/go-billy/v5"), `fleet/x.go: fleet must not import github.com/go-git/go-billy/v5; its one door is "reconciler/gitrepo"`},
		"ssa elsewhere":                    {"fleet/x.go", file("", "fleet", "github.com/fluxcd/pkg/ssa"), `fleet/x.go: fleet must not import github.com/fluxcd/pkg/ssa; its one door is "fleet/apply"`},
		"fsnotify elsewhere":               {"cmd/transom/x.go", file("", "main", "github.com/fsnotify/fsnotify"), `cmd/transom/x.go: cmd/transom must not import github.com/fsnotify/fsnotify; its one door is "reconciler/trigger"`},
		"tint elsewhere":                   {"fleet/x.go", file("", "fleet", "github.com/lmittmann/tint"), `fleet/x.go: fleet must not import github.com/lmittmann/tint; its one door is "cmd/transom"`},
		"testing in the product":           {"fleet/x.go", file("", "fleet", "github.com/stretchr/testify/require"), `fleet/x.go: fleet must not import github.com/stretchr/testify/require; its one door is ""`},
		"a logger where none belongs":      {"fleet/x.go", file("", "fleet", "log/slog"), "fleet/x.go: fleet must not log"},
		"a pure package that is not":       {"render/x.go", file("", "render", "os/exec"), "render/x.go: render is pure and must not import os/exec"},
		"a new package":                    {"render/cache/x.go", file("// Package cache is.\n", "cache"), "render/cache: not on the code map"},
		"a package called util":            {"fleet/util/x.go", file("// Package util is.\n", "util"), "fleet/util: a name that says nothing about what is inside"},
		"a package without a comment":      {"fleet/apply/x.go", file("", "apply"), "fleet/apply: no package comment"},
		"a comment that introduces nobody": {"fleet/apply/x.go", file("// Copyright\n", "apply"), "fleet/apply: no package comment"},
		"a new top folder":                 {"pkg/x.txt", "", "pkg: not a name of the top folder"},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(good)
			files[c.file] = c.source
			require.Contains(t, violations(t, tree(files)), c.want)
		})
	}
}

func TestUnusedArrowIsFound(t *testing.T) {
	repository := tree(map[string]string{
		"fleet/fleet.go":      "package fleet\nimport _ \"transom.dev/fleet/apply\"\n",
		"fleet/fleet_test.go": "package fleet_test\nimport _ \"transom.dev/render\"\n",
		"fleet/apply/x.go":    "package apply\n",
	})
	require.Empty(t, unused(t, repository, map[string][]string{"fleet": {"fleet/apply"}, "fleet/apply": {}}))
	require.Equal(t, []string{"fleet may import render, and does not", "render: on the code map, and not there"},
		unused(t, repository, map[string][]string{"fleet": {"fleet/apply", "render"}, "render": {}}))
}

// tree is a repository of files.
func tree(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, source := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(source)}
	}
	return fsys
}
