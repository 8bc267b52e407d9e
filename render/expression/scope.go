package expression

import (
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

// A Scope is the variables that an expression may name, with their types: a field that no value can have is found before there
// is any value.
type Scope struct {
	variables map[string]*cel.Type
	objects   map[string]map[string]*cel.Type // the fields of object types, by the type's name
	files     fs.FS                           // the files that file() reads; nil: there is no such function

	made *cel.Env // of this scope, once somebody asked
}

// A Type is the type of a variable or of a result.
type Type = cel.Type

// The types that variables and results are declared with.
var (
	Any    = cel.DynType // any plain value, whose type nobody knows before it is there
	Bool   = cel.BoolType
	String = cel.StringType
	Int    = cel.IntType

	AnyMap    = cel.MapType(cel.StringType, cel.DynType)
	StringMap = cel.MapType(cel.StringType, cel.StringType)
)

// NewScope returns a scope without variables.
func NewScope() *Scope {
	return &Scope{variables: map[string]*cel.Type{}, objects: map[string]map[string]*cel.Type{}}
}

// ObjectScope has the top-level fields of a Kubernetes object.
func ObjectScope() *Scope {
	s := NewScope()
	s.variables["apiVersion"], s.variables["kind"] = cel.StringType, cel.StringType
	s.variables["metadata"], s.variables["spec"], s.variables["status"] = AnyMap, AnyMap, AnyMap
	return s
}

// Object makes the type of an object with these fields. Its name is none that an expression could mean.
func (s *Scope) Object(name string, fields map[string]*cel.Type) *cel.Type {
	name = "object " + name
	s.objects[name] = fields
	return cel.ObjectType(name)
}

// With returns a scope that has one more variable.
func (s *Scope) With(name string, t *cel.Type) *Scope {
	more := &Scope{variables: maps.Clone(s.variables), objects: s.objects, files: s.files}
	more.variables[name] = t
	return more
}

// Names lists the variables, sorted.
func (s *Scope) Names() []string { return slices.Sorted(maps.Keys(s.variables)) }

// empty is the value of a variable for which none is given.
func (s *Scope) empty(name string) any {
	if s.variables[name] == cel.StringType {
		return ""
	}
	return map[string]any{}
}

// celVersion fixes which of Kubernetes' CEL libraries there are, so that updating a module changes no rendering.
var celVersion = version.MajorMinor(1, 37)

// celEnvironment has the libraries and no variables. It is made once, because that takes a millisecond.
var celEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	base := environment.MustBaseEnvSet(celVersion).NewExpressionsEnv()
	options, err := sizedFunctions(base)
	if err != nil {
		return nil, err
	}
	return base.Extend(append(options, cel.CustomTypeAdapter(sortedAdapter{base.CELTypeAdapter()}))...)
})

// compiler returns the CEL environment of the scope.
func (s *Scope) compiler() (env *cel.Env, err error) {
	if s.made == nil {
		s.made, err = s.extend()
	}
	return s.made, err
}

func (s *Scope) extend() (*cel.Env, error) {
	base, err := celEnvironment()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{cel.CustomTypeProvider(&objectTypes{base.CELTypeProvider(), s.objects})}
	for _, name := range s.Names() {
		options = append(options, cel.Variable(hideNamespace(name), s.variables[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.objects)) {
		options = append(options, s.index(name)...)
	}
	if s.files != nil {
		options = append(options, fileFunction(s.files))
	}
	return base.Extend(options...)
}

// index lets expressions select fields by string that have no name in CEL, such as parameters["cpu-limit"].
func (s *Scope) index(name string) []cel.EnvOption {
	for field := range s.objects[name] {
		if !Identifier(field) {
			return []cel.EnvOption{cel.Function("_[_]",
				cel.Overload("index "+name, []*cel.Type{cel.ObjectType(name), cel.StringType}, cel.DynType))}
		}
	}
	return nil
}

// objectTypes tells CEL the fields of object types. Their values are maps.
type objectTypes struct {
	types.Provider
	objects map[string]map[string]*cel.Type
}

// FindStructType implements types.Provider.
func (t *objectTypes) FindStructType(name string) (*types.Type, bool) {
	if _, ok := t.objects[name]; ok {
		return types.NewTypeTypeWithParam(cel.ObjectType(name)), true
	}
	return t.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (t *objectTypes) FindStructFieldNames(name string) ([]string, bool) {
	if fields, ok := t.objects[name]; ok {
		return slices.Sorted(maps.Keys(fields)), true
	}
	return t.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (t *objectTypes) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ok := t.objects[name]; ok {
		of, known := fields[field]
		return &types.FieldType{Type: of}, known
	}
	return t.Provider.FindStructFieldType(name, field)
}

// Identifier says whether CEL can select a field of this name.
func Identifier(name string) bool {
	for i, c := range name {
		switch {
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && '0' <= c && c <= '9':
		default:
			return false
		}
	}
	return name != "" && !slices.Contains([]string{"in", "true", "false", "null"}, name)
}

// Declare adds a variable to a scope that nobody uses yet.
func (s *Scope) Declare(name string, t *Type) { s.variables[name] = t }

// WithFiles returns a scope that has the function file, which reads these.
func (s *Scope) WithFiles(files fs.FS) *Scope {
	return &Scope{variables: s.variables, objects: s.objects, files: files}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
