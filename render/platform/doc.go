// Package platform is Transom's vocabulary: it reads a platform repository and returns its meaning as Go values.
//
// In comes an fs.FS: a directory, a commit or a txtar archive. Out comes a Platform: offerings with their versions,
// requests, environments, clusters, policies and decisions, and with them every Problem and Warning at once, each
// with its file, line, field and remedy.
//
// A mistake costs only the file or field that it is in: a request with a Problem is Broken and keeps the placements that it
// last had, which is not the same as being absent. The package never touches a network, a cluster, a clock or Git.
package platform
