// Package web is Transom's HTTP side: the console, the API, the event stream, metrics and health.
//
// In come a status.Board, which it only reads, and a few questions that it may ask the daemon. Out comes an
// http.Handler:
//
//	/                 the console: pages made on the server, without any request elsewhere
//	/requests/TEAM/NAME/pods  pods, Events and logs of a placement, by the rules of the API's routes about them
//	/requests/TEAM/NAME/manifests  its manifests, and their differences from the cluster, the next release, elsewhere and before
//	/requests/TEAM/NAME/edit  a form of its values, and its file with others; nothing is written
//	/activity /changes/COMMIT  the commits of the platform and of the states: who changed which things
//	/api/v1/status    all of the status, as JSON: ?team= ?request= ?environment= narrow it, ?objects=none leaves objects out
//	                  and ?objects=unhealthy those that are well
//	/api/v1/progress  how far a commit has come in an environment: ?environment= ?commit= ?team= ?request=
//	/api/v1/events    the latest changes, as JSON, or as Server-Sent Events where the client accepts them
//	/api/v1/activity  commits of the platform and of the states, the latest first, and single ones by their id
//	/api/v1/explain   where an instance comes from: ?environment= ?team= ?request= ?cluster=
//	/api/v1/reconcile POST: asks every repository whether it moved, and has a pass made over every environment
//	/hooks/git        POST: a Git server says that something was pushed, as GitHub, GitLab, Gitea and Bitbucket do
//	/api/v1/whoami    who asks, and with which role
//	/api/v1/offerings, requests, instances, environments, clusters, problems, drift, debt, decisions
//	                  the resources of package api: lists with filters and pages, and single ones by name
//	/api/v1/openapi.json  all of the API, described in OpenAPI 3.1; errors are as RFC 9457 has them
//	/login /logout    sessions of people with a browser, as package access begins and ends them
//	/metrics          Prometheus metrics
//	/healthz /readyz  the process lives; the platform was loaded and every environment was reconciled once
//
// It changes nothing and keeps nothing. Who may ask for which route is one table, roles; package access says who asks. Without an
// access.Guard nobody has to log in, which is right for a listener on localhost only.
package web
