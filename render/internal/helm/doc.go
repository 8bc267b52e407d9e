// Package helm is the only door to Helm.
//
// In go the files of a chart and a Call: the release's name and namespace, the cluster's version and the values. Out come the
// manifests by the template that printed them, as Helm's own engine prints them. The same call comes to the same text on
// every machine and at every time: a function that would read the clock, chance, the network, the environment or a cluster
// fails where it is executed.
//
// A template can loop, recurse and print without end, so nothing but a worker process calls this package where a daemon runs.
// The package reads no disk, opens no connection and starts no process.
package helm
