package web

import "transom.dev/reconciler/web/access"

// Routes are the routes that the handler answers, and Roles those with a role.
func Routes(o Options) []string {
	o.Access, _ = access.New(access.Options{})
	return newRouter(&server{Options: o, streams: newStreams()}).routes
}

// Roles is the table of who may ask for what.
var Roles = roles
