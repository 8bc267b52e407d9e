package platform

type clusterSpec struct {
	State  string `json:"state" oneof:"active|paused|draining"`
	Now    bool   `json:"now"`
	Reason string `json:"reason" is:"prose"`
	UID    string `json:"uid"`

	InCluster bool `json:"inCluster"`
}

// decodeCluster reads clusters/<name>.yaml.
func decodeCluster(d *document, name string) *Cluster {
	c := &Cluster{Name: name, File: d.path, State: ClusterActive}
	o, ok := read[clusterSpec](d, "Cluster", name)
	if ok {
		c.Labels = o.Metadata.Labels
		c.Reason, c.UID, c.InCluster = o.Spec.Reason, o.Spec.UID, o.Spec.InCluster
		if o.Spec.State != "" {
			c.State = ClusterState(o.Spec.State)
		}
		if c.Now = o.Spec.Now; c.Now && c.State != ClusterDraining {
			d.problem("spec.now", "value", "means nothing for a cluster that is %s; it says of a draining one that what runs there does not wait for other clusters", c.State)
		}
	}
	d.checkName(name, maxLabel)
	c.Broken = d.broken()
	return c
}
