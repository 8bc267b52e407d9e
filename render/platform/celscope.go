package platform

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

// scope is the variables that an expression may name, with their types: a field that no value can have is found before there
// is any value.
type scope struct {
	variables map[string]*cel.Type
	objects   map[string]map[string]*cel.Type // the fields of object types, by the type's name
	files     fs.FS                           // the files that file() reads; nil: there is no such function

	made *cel.Env // of this scope, once somebody asked
}

var (
	anyMap    = cel.MapType(cel.StringType, cel.DynType)
	stringMap = cel.MapType(cel.StringType, cel.StringType)
)

func newScope() *scope {
	return &scope{variables: map[string]*cel.Type{}, objects: map[string]map[string]*cel.Type{}}
}

// inputsScope has the names of an Inputs object, as far as their types are the same everywhere.
func inputsScope() *scope {
	s := newScope()
	s.variables["request"] = s.object("request", map[string]*cel.Type{"name": cel.StringType, "team": cel.StringType})
	s.variables["namespace"] = cel.StringType
	s.variables["parameters"] = anyMap
	s.variables["bindings"] = anyMap
	s.environment()
	return s
}

// placeScope has the variables that the name of a namespace may depend on.
func placeScope() *scope {
	s := newScope()
	s.variables["request"] = s.object("request", map[string]*cel.Type{"team": cel.StringType})
	s.environment()
	return s
}

func (s *scope) environment() {
	s.variables["environment"] = s.object("environment", map[string]*cel.Type{"name": cel.StringType, "values": anyMap})
	s.variables["cluster"] = s.object("cluster", map[string]*cel.Type{"name": cel.StringType, "labels": stringMap})
}

// objectScope has the top-level fields of a Kubernetes object.
func objectScope() *scope {
	s := newScope()
	s.variables["apiVersion"], s.variables["kind"] = cel.StringType, cel.StringType
	s.variables["metadata"], s.variables["spec"], s.variables["status"] = anyMap, anyMap, anyMap
	return s
}

// policyScope has the variables of a policy: one rendered object, and the Inputs that it was rendered from.
func policyScope() *scope {
	s := inputsScope()
	s.variables["computed"], s.variables["object"] = anyMap, anyMap
	return s
}

// object makes the type of an object with these fields. Its name is none that an expression could mean.
func (s *scope) object(name string, fields map[string]*cel.Type) *cel.Type {
	name = "object " + name
	s.objects[name] = fields
	return cel.ObjectType(name)
}

// with returns a scope that has one more variable.
func (s *scope) with(name string, t *cel.Type) *scope {
	more := &scope{variables: maps.Clone(s.variables), objects: s.objects, files: s.files}
	more.variables[name] = t
	return more
}

// names lists the variables, sorted.
func (s *scope) names() []string { return slices.Sorted(maps.Keys(s.variables)) }

// empty is the value of a variable for which none is given.
func (s *scope) empty(name string) any {
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
func (s *scope) compiler() (env *cel.Env, err error) {
	if s.made == nil {
		s.made, err = s.extend()
	}
	return s.made, err
}

func (s *scope) extend() (*cel.Env, error) {
	base, err := celEnvironment()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{cel.CustomTypeProvider(&objectTypes{base.CELTypeProvider(), s.objects})}
	for _, name := range s.names() {
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
func (s *scope) index(name string) []cel.EnvOption {
	for field := range s.objects[name] {
		if !identifier(field) {
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
