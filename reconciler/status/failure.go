package status

import (
	"slices"
	"strings"
)

// stopped says which failure is new since the last pass; empty: none.
func stopped(old, in *Instance) string {
	if why := in.Rollout.stopped(); why != "" && why != old.Rollout.stopped() {
		return "stopped: " + why
	}
	for _, f := range Causes(in.Rejected) {
		known := func(o Failure) bool { return o.Release == f.Release && o.Cluster == f.Cluster && o.At.Equal(f.At) }
		if !slices.ContainsFunc(old.Rejected, known) {
			return "rejected: " + f.String()
		}
	}
	return ""
}

// String says where a failure was and how it showed. A message that names the object names its cluster, too: a release that
// failed on one is rejected on all.
func (f Failure) String() string {
	text, here := strings.CutPrefix(f.Message, f.Cluster+": ")
	switch {
	case f.Object == "":
	case !strings.Contains(text, f.Object):
		text = f.Object + ": " + text
	case !here:
		return text
	}
	if f.Cluster != "" {
		text = f.Cluster + ": " + text
	}
	return text
}

// Causes are the failures with each cause once. A release that failed on one cluster is rejected on all that its rollout has, for the
// same cause; the failure of the cluster where it showed stands for them all.
func Causes(all []Failure) []Failure {
	var once []Failure
	for _, f := range all {
		same := func(o Failure) bool {
			return o.Release == f.Release && o.Object == f.Object && o.Message == f.Message && o.At.Equal(f.At)
		}
		i := slices.IndexFunc(once, same)
		switch {
		case i < 0:
			once = append(once, f)
		case strings.HasPrefix(f.Message, f.Cluster+": "):
			once[i] = f
		}
	}
	return once
}
