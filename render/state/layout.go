package state

import (
	"strings"

	"transom.dev/render/platform"
)

// The names at the top of a state repository. Files beside them, such as a README, are not Transom's.
const (
	FleetFile   = "fleet.yaml"
	ReleasesDir = "releases" // releases/<team>/<request>.yaml
	ClustersDir = "clusters" // clusters/<cluster>/<team>/<request>.yaml and clusters/<cluster>/<team>/_namespace.yaml
)

// namespaceFile has the manifests of a team's namespace. No request has its name, because a request's begins with a letter.
const namespaceFile = "_namespace.yaml"

// Top lists the names at the top of a state repository, sorted.
func Top() []string { return []string{ClustersDir, FleetFile, ReleasesDir} }

// ReleaseFile is the path of a request's Release record.
func ReleaseFile(k platform.RequestKey) string {
	return ReleasesDir + "/" + k.Team + "/" + k.Name + ".yaml"
}

// ClusterDir is the directory that has all manifests of a cluster.
func ClusterDir(cluster string) string { return ClustersDir + "/" + cluster }

// IsBelowClusters reports whether a path is below the directory of all clusters: a manifest of a request or of a namespace.
func IsBelowClusters(file string) bool { return strings.HasPrefix(file, ClustersDir+"/") }

// ManifestFile is the path of a request's manifests for a cluster.
func ManifestFile(cluster string, k platform.RequestKey) string {
	return ClustersDir + "/" + cluster + "/" + k.Team + "/" + k.Name + ".yaml"
}

// NamespaceFile is the path of the manifests of a team's namespace on a cluster.
func NamespaceFile(cluster, team string) string {
	return ClustersDir + "/" + cluster + "/" + team + "/" + namespaceFile
}

// ParseReleaseFile returns the request whose Release record a path is.
func ParseReleaseFile(file string) (k platform.RequestKey, ok bool) {
	rest, below := strings.CutPrefix(file, ReleasesDir+"/")
	if !below {
		return k, false
	}
	return parseRequestFile(rest)
}

// ParseManifestFile returns the cluster and the request whose manifests a path is.
func ParseManifestFile(file string) (cluster string, k platform.RequestKey, ok bool) {
	cluster, rest, below := cutCluster(file)
	if !below {
		return "", k, false
	}
	if k, ok = parseRequestFile(rest); !ok {
		return "", k, false
	}
	return cluster, k, true
}

// ParseNamespaceFile returns the cluster and the team whose namespace's manifests a path is.
func ParseNamespaceFile(file string) (cluster, team string, ok bool) {
	cluster, rest, below := cutCluster(file)
	team, base, two := strings.Cut(rest, "/")
	if !below || !two || base != namespaceFile {
		return "", "", false
	}
	return cluster, team, true
}

// cutCluster parts clusters/<cluster>/<rest>.
func cutCluster(file string) (cluster, rest string, ok bool) {
	rest, below := strings.CutPrefix(file, ClustersDir+"/")
	if !below {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// parseRequestFile reads <team>/<request>.yaml.
func parseRequestFile(file string) (k platform.RequestKey, ok bool) {
	team, base, two := strings.Cut(file, "/")
	request, yaml := strings.CutSuffix(base, ".yaml")
	if !two || !yaml || strings.Contains(base, "/") || strings.HasPrefix(base, "_") {
		return k, false
	}
	return platform.RequestKey{Team: team, Name: request}, true
}

// IsOwn reports whether a path is Transom's by its first segment: a file that somebody put where a directory of Transom's
// was is in the way, too.
func IsOwn(file string) bool {
	first, _, _ := strings.Cut(file, "/")
	return first == FleetFile || first == ClustersDir || first == ReleasesDir
}
