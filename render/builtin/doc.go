// Package builtin knows the kinds that Kubernetes has itself: their groups and scopes, the versions that its API servers serve,
// and the kinds whose objects scale a workload. Of well-known custom kinds it knows when their objects are healthy. It goes by tables and by k8s.io/api, and asks no cluster.
package builtin
