package main

import (
	"errors"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"transom.dev/fleet/apply"
	"transom.dev/reconciler/gitrepo"
)

// outsideOptions are the flags that bound the answers of Git servers and API servers. Their defaults fit all but the largest
// installations: an answer that is over one names the flag to raise.
type outsideOptions struct {
	git     gitrepo.Limits
	gitTime time.Duration
	cluster apply.Limits
}

func (o *outsideOptions) flags(f *pflag.FlagSet) {
	o.git, o.cluster = gitrepo.DefaultLimits, apply.DefaultLimits
	size := func(to *int64, name, usage string) { f.Var((*byteSize)(to), name, usage) }
	size(&o.git.PackBytes, "git-pack-bytes", "how long one pack of a Git server may be")
	f.IntVar(&o.git.PackObjects, "git-pack-objects", o.git.PackObjects, "how many objects it may have; reading it takes some 300 bytes of memory each")
	size(&o.git.ObjectBytes, "git-object-bytes", "how long one object of it may be, unpacked")
	size(&o.git.AnswerBytes, "git-answer-bytes", "how long any other answer of a Git server may be, such as its branches")
	f.DurationVar(&o.gitTime, "git-timeout", gitrepo.DefaultTimeout, "how long a Git server may be silent; a push ends after 10 times that, a fetch after 40 times")
	size(&o.cluster.IdentityBytes, "cluster-identity-bytes", "how long a cluster's answer to who it is may be")
	size(&o.cluster.DiscoveryBytes, "cluster-discovery-bytes", "how long its answers to which kinds it serves may be")
	size(&o.cluster.ListBytes, "cluster-list-bytes", "how long its answers to which objects of a kind there are may be")
	size(&o.cluster.EventBytes, "cluster-event-bytes", "how long one event of a watch may be")
	size(&o.cluster.AnswerBytes, "cluster-answer-bytes", "how long any other answer may be, and one page of a list")
	f.Int64Var(&o.cluster.PageObjects, "cluster-page-objects", o.cluster.PageObjects, "how many objects a list is asked for at a time")
	f.DurationVar(&o.cluster.Timeout, "cluster-timeout", o.cluster.Timeout, "how long a request to a cluster may take, and a cluster may be silent within an answer")
}

// check refuses limits of zero and less.
func (o *outsideOptions) check() error {
	switch {
	case o.git.PackObjects < 1:
		return misuse("--git-pack-objects %d: give 1 or more", o.git.PackObjects)
	case o.cluster.PageObjects < 1:
		return misuse("--cluster-page-objects %d: give 1 or more", o.cluster.PageObjects)
	case o.gitTime < time.Millisecond:
		return misuse("--git-timeout %s: give a time such as 30s", o.gitTime)
	case o.cluster.Timeout < time.Millisecond:
		return misuse("--cluster-timeout %s: give a time such as 30s", o.cluster.Timeout)
	}
	return nil
}

// byteSize is a number of bytes, written as Kubernetes writes quantities: 64Mi. It is a pflag.Value.
type byteSize int64

// String is part of pflag.Value.
func (b *byteSize) String() string {
	return resource.NewQuantity(int64(*b), resource.BinarySI).String()
}

// Type is part of pflag.Value.
func (*byteSize) Type() string { return "bytes" }

// Set is part of pflag.Value.
func (b *byteSize) Set(s string) error {
	q, err := resource.ParseQuantity(s)
	if err != nil || q.Value() < 1 || q.Value() > 1<<50 {
		return errors.New("give a number of bytes such as 64Mi")
	}
	*b = byteSize(q.Value())
	return nil
}
