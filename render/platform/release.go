package platform

// Release is the record releases/<team>/<request>.yaml of a state repository: what runs in that environment and
// why. Rendering writes it; applying and status read it; its Git log is the audit trail.
type Release struct {
	Key RequestKey `json:"-"` // metadata: name, team

	Digest        string                      `json:"digest"` // of the release: the request's content with its version
	Absent        bool                        `json:"absent,omitempty"`
	Request       *RequestSpec                `json:"request,omitempty"`
	Offering      string                      `json:"offering"`
	Version       string                      `json:"version"`
	VersionDigest string                      `json:"versionDigest"`
	Commit        string                      `json:"commit"` // the platform commit that yielded the release
	File          string                      `json:"file"`   // the request's file in the platform repository
	Clusters      map[string]ReleasePlacement `json:"clusters,omitempty"`
	Outputs       map[string]any              `json:"outputs,omitempty"`

	// What applying needs to know of the version, the offering and the request.
	Scope    Scope    `json:"scope,omitempty"`
	Health   []Health `json:"health,omitempty"`
	Ignore   []Ignore `json:"ignore,omitempty"`
	Deletion Deletion `json:"deletion,omitempty"`
	Adopt    bool     `json:"adopt,omitempty"`
}

// ReleasePlacement is what a release comes to on one cluster.
type ReleasePlacement struct {
	Revision  string `json:"revision"`  // sha256:<hex> of the file clusters/<cluster>/<team>/<request>.yaml
	RenderKey string `json:"renderKey"` // sha256:<hex> of what that file depends on
	Namespace string `json:"namespace,omitempty"`
}

// Fleet is the record fleet.yaml of a state repository.
type Fleet struct {
	Platform string            `json:"platform"`           // last accepted platform commit
	Clusters map[string]string `json:"clusters,omitempty"` // name to UID of its kube-system namespace
}
