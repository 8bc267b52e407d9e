package gitrepo

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// A trackedBranch is the branch of a Remote, as its server last showed it.
type trackedBranch struct {
	ref    plumbing.ReferenceName   // its full name, once known; belongs to who has the Remote's turn
	head   atomic.Pointer[Snapshot] // when it was last asked for
	others atomic.Pointer[[]string] // branches of a repository that does not have this one
}

// headOf finds the branch among those that the server advertises. Zero is a branch without commits.
func (b *trackedBranch) headOf(adv *packp.AdvRefs) plumbing.Hash {
	if b.ref == "" {
		b.ref = defaultBranch(adv)
	}
	b.others.Store(nil)
	head, there := adv.References[b.ref.String()]
	if !there {
		b.others.Store(branchesOf(adv))
	}
	return head
}

// mostBranches bounds how many branches of a repository are named.
const mostBranches = 10

// branchesOf lists the first branches that a server advertises, sorted.
func branchesOf(adv *packp.AdvRefs) *[]string {
	list := []string{}
	for ref := range adv.References {
		if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			list = append(list, printable(branch))
		}
	}
	slices.Sort(list)
	list = list[:min(len(list), mostBranches)]
	return &list
}

// defaultBranch is the branch that the server's HEAD names. A server does not say that of an empty repository; main is as
// good a guess as any then.
func defaultBranch(adv *packp.AdvRefs) plumbing.ReferenceName {
	for _, symref := range adv.Capabilities.Get(capability.SymRef) {
		if target, ok := strings.CutPrefix(symref, "HEAD:"); ok {
			return plumbing.ReferenceName(target)
		}
	}
	return plumbing.Main
}
