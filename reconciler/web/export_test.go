package web

import (
	"reflect"

	"transom.dev/reconciler/web/access"
)

// Routes are the routes that the handler answers, and Roles those with a role.
func Routes(o Options) []string {
	o.Access, _ = access.New(access.Options{})
	return newRouter(newServer(o)).routes
}

// Operations are those that the API has.
func Operations(o Options) []Operation {
	o.Access, _ = access.New(access.Options{})
	var all []Operation
	for _, one := range operations(newServer(o)) {
		all = append(all, Operation{one.method, one.route, one.summary, one.body, one.parameters, one.answer, one.line, one.media})
	}
	return all
}

// An Operation is an operation without its handler.
type Operation struct {
	Method, Route, Summary   string
	Body                     string
	Parameters, Answer, Line reflect.Type
	Media                    string
}

// ErrorType is the type of all errors.
var ErrorType = reflect.TypeFor[errorAnswer]()

// Roles is the table of who may ask for what.
var Roles = roles
