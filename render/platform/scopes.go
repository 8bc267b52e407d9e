package platform

import (
	"transom.dev/render/expression"
)

// The variables that the expressions of each kind may name.

// inputsScope has the names of an Inputs object, as far as their types are the same everywhere.
func inputsScope() *expression.Scope {
	s := expression.NewScope()
	s.Declare("request", s.Object("request", map[string]*expression.Type{"name": expression.String, "team": expression.String}))
	s.Declare("namespace", expression.String)
	s.Declare("parameters", expression.AnyMap)
	s.Declare("bindings", expression.AnyMap)
	declareEnvironment(s)
	return s
}

// namespaceScope has the variables that the name of a namespace may depend on.
func namespaceScope() *expression.Scope {
	s := expression.NewScope()
	s.Declare("request", s.Object("request", map[string]*expression.Type{"team": expression.String}))
	declareEnvironment(s)
	return s
}

// teamScope has the variables that the name of a team's ServiceAccount may depend on.
func teamScope() *expression.Scope {
	s := expression.NewScope()
	s.Declare("request", s.Object("request", map[string]*expression.Type{"team": expression.String}))
	return s
}

// declareEnvironment declares the environment and the cluster.
func declareEnvironment(s *expression.Scope) {
	s.Declare("environment", s.Object("environment", map[string]*expression.Type{"name": expression.String, "values": expression.AnyMap}))
	s.Declare("cluster", s.Object("cluster", map[string]*expression.Type{"name": expression.String, "labels": expression.StringMap}))
}

// policyScope has the variables of a policy: one rendered object, and the Inputs that it was rendered from.
func policyScope() *expression.Scope {
	s := inputsScope()
	s.Declare("computed", expression.AnyMap)
	s.Declare("object", expression.AnyMap)
	return s
}
