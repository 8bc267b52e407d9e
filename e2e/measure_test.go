package e2e_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A shape has the figures of a repository's code that is no test.
type shape struct {
	methods     map[string]float64 // by type
	methodFiles map[string]map[string]bool
	changers    map[string]map[string]bool // files that change a large struct after it was made, by type
	files       map[string]float64         // lines
	functions   map[string]float64         // lines
	exported    map[string]float64         // by package, without methods and fields
	mixed       map[string]int             // by package
	lines       map[string]int             // by package
	words       map[string]int             // of comments, by package, those of tests among them
	whats       map[string]int             // of these
	facts       map[string]map[string]bool // packages that write a fact, by its text
}

var word = regexp.MustCompile(`[A-Za-z']+`)

// addComments counts the words of a file's comments.
func (s *shape) addComments(pkg string, file *ast.File) {
	for _, comment := range file.Comments {
		for _, w := range word.FindAllString(comment.Text(), -1) {
			s.words[pkg]++
			if strings.EqualFold(w, "what") || strings.EqualFold(w, "whatever") {
				s.whats[pkg]++
			}
		}
	}
}

// what returns how many of 1,000 words in comments of a package are "what" or "whatever". A package with few words is omitted.
func (s *shape) what() map[string]float64 {
	shares := map[string]float64{}
	for pkg, words := range s.words {
		if words > fewWords {
			shares[pkg] = 1000 * float64(s.whats[pkg]) / float64(words)
		}
	}
	return shares
}

func counted(sets map[string]map[string]bool) map[string]float64 {
	counts := map[string]float64{}
	for name, set := range sets {
		counts[name] = float64(len(set))
	}
	return counts
}

// mixedIn returns how many conditions per 1,000 lines of a package, or of all, have both operators.
func (s *shape) mixedIn(pkg string) float64 {
	conditions, lines := s.mixed[pkg], s.lines[pkg]
	if pkg == "" {
		for name := range s.lines {
			conditions, lines = conditions+s.mixed[name], lines+s.lines[name]
		}
	}
	return 1000 * float64(conditions) / float64(max(lines, 1))
}

// A checkedPackage is one of the product's, with its types as far as they can be told from the product's own code.
type checkedPackage struct {
	*types.Package
	path  string // in the repository
	names []string
	files []*ast.File
	info  *types.Info
}

// A checker resolves types of the product's packages and of a few of the standard library. Of other libraries nothing is known: a
// value whose type comes from there is not followed.
type checker struct {
	set      *token.FileSet
	parsed   map[string]*checkedPackage // by path in the repository
	checked  map[string]bool
	standard types.Importer
}

func (c *checker) Import(name string) (*types.Package, error) {
	if slices.Contains([]string{"cmp", "iter", "maps", "slices", "strings"}, name) {
		return c.standard.Import(name)
	}
	pkg, ok := c.parsed[strings.TrimPrefix(name, module)]
	if !ok {
		foreign := types.NewPackage(name, path.Base(name))
		foreign.MarkComplete()
		return foreign, nil
	}
	c.check(pkg)
	return pkg.Package, nil
}

func (c *checker) check(pkg *checkedPackage) {
	if c.checked[pkg.path] {
		return
	}
	c.checked[pkg.path] = true
	config := types.Config{Importer: c, Error: func(error) {}} // the compiler reports errors; here they are of what is not resolved
	pkg.Package, _ = config.Check(module+pkg.path, c.set, pkg.files, pkg.info)
}

func shapeOf(t *testing.T, repository fs.FS) *shape {
	t.Helper()
	s := &shape{
		methods: map[string]float64{}, methodFiles: map[string]map[string]bool{}, changers: map[string]map[string]bool{},
		files: map[string]float64{}, functions: map[string]float64{}, exported: map[string]float64{},
		mixed: map[string]int{}, lines: map[string]int{}, words: map[string]int{}, whats: map[string]int{},
		facts: map[string]map[string]bool{},
	}
	c := &checker{set: token.NewFileSet(), parsed: map[string]*checkedPackage{}, checked: map[string]bool{}}
	c.standard = importer.ForCompiler(c.set, "source", nil)
	eachFile(t, repository, c.set, parser.ParseComments|parser.SkipObjectResolution, func(name string, file *ast.File) {
		s.addComments(path.Dir(name), file)
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		pkg := c.parsed[path.Dir(name)]
		if pkg == nil {
			pkg = &checkedPackage{path: path.Dir(name), info: &types.Info{
				Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
				Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
			}}
			c.parsed[pkg.path] = pkg
		}
		pkg.names, pkg.files = append(pkg.names, name), append(pkg.files, file)
	})
	owners := map[*types.Var]string{}
	for _, pkg := range c.parsed {
		c.check(pkg)
		s.addFieldsTo(owners, pkg)
	}
	for _, pkg := range c.parsed {
		for i, file := range pkg.files {
			s.addFile(c.set, pkg, pkg.names[i], file)
			s.addChanges(owners, pkg, pkg.names[i], file)
		}
	}
	return s
}

// addFieldsTo collects the fields of the large structs of a package, and those of the results of promotion.
func (s *shape) addFieldsTo(owners map[*types.Var]string, pkg *checkedPackage) {
	for _, name := range pkg.Scope().Names() {
		declared, ok := pkg.Scope().Lookup(name).(*types.TypeName)
		if !ok {
			continue
		}
		st, ok := declared.Type().Underlying().(*types.Struct)
		if !ok || st.NumFields() <= largeStruct && !slices.Contains(resultsOfPromotion, pkg.path+"."+name) {
			continue
		}
		s.changers[pkg.path+"."+name] = map[string]bool{}
		for field := range st.Fields() {
			if owners[field] == "" {
				owners[field] = pkg.path + "." + name
			}
		}
	}
}

// addFile counts the declarations and conditions of a file.
func (s *shape) addFile(set *token.FileSet, pkg *checkedPackage, name string, file *ast.File) {
	lines := set.File(file.Pos()).LineCount()
	s.files[name] = float64(lines)
	s.lines[pkg.path] += lines
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			s.addFunction(set, pkg.path, name, d)
		case *ast.GenDecl:
			s.exported[pkg.path] += float64(len(exportedNames(d)))
		}
	}
	s.mixed[pkg.path] += mixedIn(file)
	s.addFacts(pkg.path, file)
}

// factual finds the texts that packages have to agree on: names of labels, annotations and trailers, paths of state repositories,
// healths, and kinds of decisions.
var factual = regexp.MustCompile(`^"(releases|fleet\.yaml|_namespace\.yaml|(transom\.dev|[a-z]+\.kubernetes\.io)/.+|Transom-.+|Healthy|Progressing|Suspended|Unknown|Approval|Hold|Pin|Override)"$`)

// addFacts finds the facts that a file writes. Paths of packages, and tags of fields, are none.
func (s *shape) addFacts(pkg string, file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if factual.MatchString(n.Value) {
				if s.facts[n.Value] == nil {
					s.facts[n.Value] = map[string]bool{}
				}
				s.facts[n.Value][pkg] = true
			}
		}
		return true
	})
}

func (s *shape) addFunction(set *token.FileSet, pkg, file string, d *ast.FuncDecl) {
	id := pkg + "." + d.Name.Name
	if d.Recv == nil {
		if d.Name.IsExported() {
			s.exported[pkg]++
		}
	} else {
		of := pkg + "." + receiver(d)
		s.methods[of]++
		if s.methodFiles[of] == nil {
			s.methodFiles[of] = map[string]bool{}
		}
		s.methodFiles[of][file] = true
		id = of + "." + d.Name.Name
	}
	s.functions[id] = float64(set.Position(d.End()).Line - set.Position(d.Pos()).Line + 1)
}

func receiver(d *ast.FuncDecl) string {
	of := d.Recv.List[0].Type
	for {
		switch e := of.(type) {
		case *ast.StarExpr:
			of = e.X
		case *ast.IndexExpr:
			of = e.X
		case *ast.IndexListExpr:
			of = e.X
		case *ast.Ident:
			return e.Name
		default:
			return fmt.Sprintf("%T", of)
		}
	}
}

func exportedNames(d *ast.GenDecl) (names []string) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = append(names, spec.Name.Name)
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				names = append(names, name.Name)
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !ast.IsExported(name) })
}

// mixedIn counts the conditions below a node that have both && and ||. Arguments of calls are conditions of their own.
func mixedIn(node ast.Node) (count int) {
	ast.Inspect(node, func(n ast.Node) bool {
		condition, ok := n.(*ast.BinaryExpr)
		if !ok || condition.Op != token.LAND && condition.Op != token.LOR {
			return true
		}
		has := map[token.Token]bool{}
		ast.Inspect(condition, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				has[n.Op] = true
			case *ast.CallExpr:
				count += mixedIn(n.Fun)
				for _, argument := range n.Args {
					count += mixedIn(argument)
				}
				return false
			case *ast.FuncLit:
				count += mixedIn(n.Body)
				return false
			}
			return true
		})
		if has[token.LAND] && has[token.LOR] {
			count++
		}
		return false
	})
	return count
}

// addChanges collects the large structs whose fields a file changes: by an assignment to a field, to a part of it, or to an
// element of its map or slice, and by delete and clear. A function that makes a struct does not change it by filling it.
func (s *shape) addChanges(owners map[*types.Var]string, pkg *checkedPackage, name string, file *ast.File) {
	made := madeIn(pkg.info, file)
	changed := func(target ast.Expr) {
		for _, owner := range fieldsChanged(owners, pkg.info, made, target) {
			s.changers[owner][name] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, target := range n.Lhs {
				changed(target)
			}
		case *ast.IncDecStmt:
			changed(n.X)
		case *ast.RangeStmt:
			changed(n.Key)
			changed(n.Value)
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") {
				changed(&ast.IndexExpr{X: n.Args[0]})
			}
		}
		return true
	})
}

// madeIn are the variables of a file that have a struct which their own function makes: x := T{}, x := &T{}, var x T, and a
// named result.
func madeIn(info *types.Info, file *ast.File) map[types.Object]bool {
	made := map[types.Object]bool{}
	add := func(name *ast.Ident, value ast.Expr) {
		if address, ok := value.(*ast.UnaryExpr); ok {
			value = address.X
		}
		if _, literal := value.(*ast.CompositeLit); literal || value == nil {
			made[info.Defs[name]] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, target := range n.Lhs {
				if name, ok := target.(*ast.Ident); ok && len(n.Rhs) == len(n.Lhs) {
					add(name, n.Rhs[i])
				}
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if len(n.Values) == 0 {
					add(name, nil)
				} else if len(n.Values) == len(n.Names) {
					add(name, n.Values[i])
				}
			}
		case *ast.FuncType:
			if n.Results != nil {
				for _, result := range n.Results.List {
					for _, name := range result.Names {
						add(name, nil)
					}
				}
			}
		}
		return true
	})
	delete(made, nil)
	return made
}

// fieldsChanged names the large structs that an assignment to an expression changes. The contents behind a pointer are no part of
// the struct that has the pointer.
func fieldsChanged(owners map[*types.Var]string, info *types.Info, made map[types.Object]bool, target ast.Expr) (changed []string) {
	for {
		switch e := target.(type) {
		case *ast.ParenExpr:
			target = e.X
		case *ast.IndexExpr:
			target = e.X
		case *ast.SelectorExpr:
			if base, ok := e.X.(*ast.Ident); ok && made[info.Uses[base]] {
				return nil
			}
			if selection := info.Selections[e]; selection != nil {
				if field, ok := selection.Obj().(*types.Var); ok && owners[field.Origin()] != "" {
					changed = append(changed, owners[field.Origin()])
				}
			}
			if _, pointer := info.Types[e.X].Type.(*types.Pointer); pointer {
				return changed
			}
			target = e.X
		default:
			return changed
		}
	}
}
