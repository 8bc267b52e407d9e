package web

import (
	"net/http"
	"reflect"

	"transom.dev/reconciler/status"
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

// NewEncodedEvents returns the first part of histories for the events of a team, or all, as it is made for all streams.
func NewEncodedEvents() func(history []status.Event, team string) (text string, more bool) {
	var e encodedEvents
	return func(history []status.Event, team string) (string, bool) {
		text, _, more := e.part(history, selection{Team: team}, cursor{})
		return text, more
	}
}

// Approves says whether somebody may approve the file of a decision about a team, given the owners of all files; nil: there is no CODEOWNERS.
func Approves(who access.Identity, owners Owners, file, team string) (may, named bool, of []string) {
	return approver{who, owners}.approves(file, team)
}

// Stream is an event stream that has one text to tell.
func Stream(w http.ResponseWriter, text string) (keepAlive, tell, end func()) {
	s := newEventStream(w, cursor{}, func(at cursor) (string, cursor, bool) { return text, at, false })
	return s.keepAlive, s.tell, s.end
}
