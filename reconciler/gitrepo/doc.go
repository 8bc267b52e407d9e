// Package gitrepo reads and writes Git repositories: an address and a branch come in, Snapshots and commits go out.
// It is the only package that knows go-git.
//
// A Remote is a branch somewhere else. Fetch returns the branch's head as a Snapshot, which is an fs.FS, and Commit
// puts changed files on top of a Snapshot:
//
//	state := &gitrepo.Remote{URL: "https://git.example.com/acme/state-prod.git", Branch: "main", Dir: dir}
//	before, err := state.Fetch(ctx)
//	after, err := state.Commit(ctx, before, gitrepo.Commit{Message: "…", Changes: map[string][]byte{
//		"releases/payments/orders-db.yaml": release,
//		"releases/payments/old-db.yaml":    nil, // removed
//	}})
//
// # Guarantees
//
// A Snapshot never changes. A Commit lands on exactly the Snapshot it was made for or not at all: the server compares
// the branch with the parent while it holds the branch's lock, and nothing is ever forced. ErrRaced says that
// somebody else was faster. When an answer is lost, the branch is read again and decides; no decision rests on the
// text of an error.
//
// Nothing on the local disk matters. Below Dir is a bare repository with the objects of the branch, a mirror, which is made
// anew when anything about it is wrong, and may be deleted while it is in use. Content is checked against its id as it is
// read, so a damaged disk leads to an error or a new mirror, never to a file that seems to be gone.
//
// Every conversation with a server ends: when the context does, when nothing moves for longer than Remote.Timeout, and
// at the latest after ten times that for a push, forty times for a fetch.
// A server that sends less than 1 KiB a second where it has nothing to prepare is as good as one that sends nothing.
//
// Every answer is bounded by Remote.Limits. A pack is read to its end and checked, object by object, before anything of it
// is kept: how many objects there are and how long each is are known from the bytes that arrived, not from a header. The
// index of the pack is made from the same reading.
//
// # How it is done
//
// No work tree, no index, no history walk: a commit's trees are built from the parent's trees, and a pack of exactly
// the new objects is sent to receive-pack. Local repositories are served by the git of this machine, so that hooks,
// locks and checks are Git's own; https is go-git's client; ssh is golang.org/x/crypto/ssh with a private key and a
// required known hosts file. Other schemes are refused, and so are addresses with credentials in them.
//
// It never pushes to a branch it was not asked to, forces a push, runs a program other than git, follows a symbolic link or
// a submodule, or puts a secret into an error.
package gitrepo
