package gitrepo_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

// damages are the damages that can happen to a mirror: by a kill, by a full or failing disk, by somebody who tidies up.
var damages = map[string]func(t *testing.T, dir string){
	"deleted": func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) },
	"emptied": func(t *testing.T, dir string) {
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.Mkdir(dir, 0o755))
	},
	"a file": func(t *testing.T, dir string) {
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.WriteFile(dir, []byte("not a directory"), 0o644))
	},
	"truncated ref": func(t *testing.T, dir string) { write(t, dir, "refs/heads/main", "") },
	"half a ref":    func(t *testing.T, dir string) { write(t, dir, "refs/heads/main", "0123456789") },
	"dangling ref": func(t *testing.T, dir string) {
		write(t, dir, "refs/heads/main", "0123456789012345678901234567890123456789\n")
	},
	"no refs": func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "refs"))) },
	"no HEAD": func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "HEAD"))) },
	"leftover locks": func(t *testing.T, dir string) {
		write(t, dir, "refs/heads/main.lock", "")
		write(t, dir, "packed-refs.lock", "")
	},
	"half a fetch":   func(t *testing.T, dir string) { write(t, dir, "objects/pack/tmp_pack_123456", "PACK\x00\x00") },
	"half a new one": func(t *testing.T, dir string) { write(t, dir+".new", "objects/pack/tmp_pack_123456", "PACK\x00\x00") },
	"garbage pack":   func(t *testing.T, dir string) { garbagePack(t, dir, "pack"); garbagePack(t, dir, "idx") },
	"index, no pack": func(t *testing.T, dir string) { garbagePack(t, dir, "idx") },
	"pack, no index": func(t *testing.T, dir string) { garbagePack(t, dir, "pack") },
	"empty pack":     func(t *testing.T, dir string) { eachPack(t, dir, ".pack", func([]byte) []byte { return nil }) },
	"empty index":    func(t *testing.T, dir string) { eachPack(t, dir, ".idx", func([]byte) []byte { return nil }) },
	"truncated pack": func(t *testing.T, dir string) {
		eachPack(t, dir, ".pack", func(b []byte) []byte { return b[:len(b)/2] })
	},
	"truncated index": func(t *testing.T, dir string) {
		eachPack(t, dir, ".idx", func(b []byte) []byte { return b[:len(b)/2] })
	},
	"zeroed pack": func(t *testing.T, dir string) {
		eachPack(t, dir, ".pack", func(b []byte) []byte { return make([]byte, len(b)) })
	},
	"flipped bits": func(t *testing.T, dir string) {
		eachPack(t, dir, ".pack", func(b []byte) []byte {
			for i := 20; i < len(b)-20; i += 7 {
				b[i] ^= 0x10
			}
			return b
		})
	},
	"truncated in place": eachPackInPlace,
	"packs gone": func(t *testing.T, dir string) {
		packs, err := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
		require.NoError(t, err)
		for _, p := range packs {
			require.NoError(t, os.Remove(p))
		}
	},
}

func write(t *testing.T, dir, name, content string) {
	file := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
}

func garbagePack(t *testing.T, dir, kind string) {
	write(t, dir, "objects/pack/pack-0123456789012345678901234567890123456789."+kind, "garbage")
}

func eachPack(t *testing.T, dir, suffix string, change func([]byte) []byte) {
	files, err := filepath.Glob(filepath.Join(dir, "objects/pack/*"+suffix))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, os.Remove(f)) // an open file stays as it was
		require.NoError(t, os.WriteFile(f, change(bytes.Clone(b)), 0o644))
	}
}

// grown returns a repository with some commits, and a Remote whose mirror has several packs of them.
func grown(t *testing.T) (*bare, *gitrepo.Remote) {
	b := newBare(t)
	r := b.remote()
	for i := range 4 {
		b.commit("more", map[string]string{fmt.Sprintf("dir-%d/file", i): fmt.Sprint("content ", i), "same": fmt.Sprint(i)})
		fetch(t, r)
	}
	return b, r
}

func requireGrown(t *testing.T, s *gitrepo.Snapshot) {
	t.Helper()
	for i := range 4 {
		require.Equal(t, fmt.Sprint("content ", i), readFile(t, s, fmt.Sprintf("dir-%d/file", i)))
	}
	require.Equal(t, "3", readFile(t, s, "same"))
}

func TestMirrorHealsWhileRunning(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, r := grown(t)
			s := fetch(t, r)
			damage(t, r.Dir)
			requireGrown(t, s)

			damage(t, r.Dir)
			after := commit(t, r, s, map[string][]byte{"same": []byte("4")})
			require.Equal(t, after.Commit, b.head())
			b.commit("theirs", map[string]string{"dir-0/file": "theirs"})
			s = fetch(t, r)
			require.Equal(t, "theirs", readFile(t, s, "dir-0/file"))
			require.Equal(t, "4", readFile(t, s, "same"))
		})
	}
}

func TestMirrorHealsAfterARestart(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, r := grown(t)
			damage(t, r.Dir)
			again := b.remote()
			again.Dir = r.Dir
			requireGrown(t, fetch(t, again))

			damage(t, r.Dir)
			again = b.remote()
			again.Dir = r.Dir
			id := b.commit("theirs", map[string]string{"new": "theirs"})
			s := fetch(t, again)
			require.Equal(t, id, s.Commit)
			requireGrown(t, s)
			commit(t, again, s, map[string][]byte{"same": []byte("4")})
		})
	}
}

func TestMirrorMayBeDeletedWhileItIsRead(t *testing.T) {
	_, r := grown(t)
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				s, err := r.Fetch(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				if content, err := s.ReadFile("dir-1/file"); err != nil || string(content) != "content 1" {
					t.Errorf("%q, %v", content, err)
				}
			}
		})
	}
	for range 20 {
		_ = os.RemoveAll(r.Dir) // fails where a file is made meanwhile, and has done its harm
		_, err := r.Fetch(context.Background())
		if err != nil {
			t.Error(err)
		}
	}
	close(done)
	all.Wait()
}

func TestMirrorKeepsFewPacks(t *testing.T) {
	t.Parallel()
	b := newBare(t)
	writer, reader := b.remote(), b.remote()
	s := fetch(t, writer)
	for i := range 130 {
		s = commit(t, writer, s, map[string][]byte{
			fmt.Sprintf("clusters/c%d/file", i%7): fmt.Append(nil, "generation ", i), fmt.Sprintf("f%d", i): []byte("once"),
		})
		require.Equal(t, s.Commit, fetch(t, reader).Commit)
	}
	b.git("fsck", "--strict")
	require.Equal(t, "130", b.git("rev-list", "--count", "main"))
	for _, r := range []*gitrepo.Remote{writer, reader} {
		packs, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/*.pack"))
		require.NoError(t, err)
		require.LessOrEqual(t, len(packs), 50)
		b.run("", "-C", r.Dir, "fsck", "--strict")

		again := b.remote()
		again.Dir = r.Dir
		s := fetch(t, again)
		require.Equal(t, "generation 129", readFile(t, s, "clusters/c3/file"))
		require.Equal(t, "once", readFile(t, s, "f17"))
	}
}

func TestMirrorThatGrewLargeIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := newBare(t)
	r := b.remote()
	s := fetch(t, r)
	for i := range 52 {
		large := make([]byte, 400<<10)
		_, _ = rand.Read(large)
		s = commit(t, r, s, map[string][]byte{fmt.Sprint(i): large})
		require.Equal(t, s.Commit, fetch(t, r).Commit)
	}
	packs, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/*.pack"))
	require.NoError(t, err)
	require.Less(t, len(packs), 15)
}

// TestALargePackIsNotMergedAgainAndAgain: a merge takes as long as the packs of late have bytes.
func TestALargePackIsNotMergedAgainAndAgain(t *testing.T) {
	t.Parallel()
	b := newBare(t)
	r := b.remote()
	random := func(size int) []byte {
		content := make([]byte, size)
		_, _ = rand.Read(content)
		return content
	}
	s := commit(t, r, fetch(t, r), map[string][]byte{"large": random(5 << 20)})
	large := packsOf(t, r)
	for i := range 120 {
		s = commit(t, r, s, map[string][]byte{fmt.Sprint(i): random(60 << 10)})
	}
	packs := packsOf(t, r)
	require.LessOrEqual(t, len(packs), 50)
	require.Contains(t, packs, large[0])
	b.run("", "-C", r.Dir, "fsck", "--strict", "--full")
}

func TestCommitThatIsGoneEverywhereIsAnError(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	second := b.commit("second", map[string]string{"f": "2"})
	r := b.remote()
	s := fetch(t, r)
	b.git("update-ref", "refs/heads/main", first)
	b.git("gc", "--quiet", "--prune=now")
	eachPackInPlace(t, r.Dir)
	for range 2 {
		_, err := s.ReadFile("f")
		require.ErrorContains(t, err, "gone from the remote repository")
		require.NotErrorIs(t, err, os.ErrNotExist, "it must not look like a file that was removed")
	}
	_, err := r.At(context.Background(), second)
	require.ErrorContains(t, err, "the branch has no such commit")
	yes, err := r.IsAncestor(context.Background(), second, first)
	require.NoError(t, err)
	require.False(t, yes)
}

// eachPackInPlace truncates packs under the eyes of whoever has them open.
func eachPackInPlace(t *testing.T, dir string) {
	packs, err := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
	require.NoError(t, err)
	for _, p := range packs {
		require.NoError(t, os.Chmod(p, 0o600))
		require.NoError(t, os.Truncate(p, 0))
	}
}

// A tree that is readable but not the right one would look like files that were removed.
func TestContentThatDoesNotMatchItsNameIsNotBelieved(t *testing.T) {
	b, r := grown(t)
	loose := func(id, content string) {
		var packed bytes.Buffer
		w := zlib.NewWriter(&packed)
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		write(t, r.Dir, filepath.Join("objects", id[:2], id[2:]), packed.String())
	}
	loose(b.git("rev-parse", "main^{tree}"), "tree 0\x00")
	// With the commit as a file of its own, the packs are not looked at first.
	commit := b.git("cat-file", "commit", "main") + "\n"
	loose(b.head(), fmt.Sprintf("commit %d\x00%s", len(commit), commit))

	again := b.remote()
	again.Dir = r.Dir
	requireGrown(t, fetch(t, again))
}

// TestAFullDiskCostsNoMirror: what it has can be read on, it is not cloned anew, and goes on once there is room.
func TestAFullDiskCostsNoMirror(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	var packs atomic.Int32
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPost {
				packs.Add(1)
			}
			git.ServeHTTP(w, req)
		})
	})
	r := o.remote()
	first := fetch(t, r)
	full := filepath.Join(r.Dir, "refs", "heads", "main.new")
	require.NoError(t, os.Symlink("/dev/full", full))
	b.commit("second", map[string]string{"f": "2"})
	packs.Store(0)
	_, err := r.Fetch(t.Context())
	require.ErrorContains(t, err, "local mirror "+r.Dir+": no space left on device; make room on that disk")
	require.EqualValues(t, 1, packs.Load(), "all of it is not fetched anew")
	require.Equal(t, "1", readFile(t, first, "f"))
	require.NoDirExists(t, r.Dir+".new")
	require.NoError(t, os.Remove(full))
	require.Equal(t, "2", readFile(t, fetch(t, r), "f"))
}

// TestAFullDiskCostsNoCloneForEachObject that is missing: the others can be read on, and it is fetched once there is room.
func TestAFullDiskCostsNoCloneForEachObject(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	var packs atomic.Int32
	var full atomic.Pointer[string] // a file that the disk does not take
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPost {
				packs.Add(1)
				if at := full.Load(); at != nil {
					if err := errors.Join(os.MkdirAll(filepath.Dir(*at), 0o700), os.Symlink("/dev/full", *at)); err != nil {
						t.Error(err)
					}
				}
			}
			git.ServeHTTP(w, req)
		})
	})
	r := o.remote()
	fetch(t, r)
	first, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/*.pack"))
	require.NoError(t, err)
	b.commit("second", map[string]string{"g": "2"})
	s := fetch(t, r)
	require.Equal(t, "1", readFile(t, s, "f"))
	all, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/*.pack"))
	require.NoError(t, err)
	for _, pack := range all {
		if !slices.Contains(first, pack) {
			require.NoError(t, errors.Join(os.Chmod(pack, 0o600), os.Truncate(pack, 0)))
		}
	}
	at := filepath.Join(r.Dir+".new", "refs", "heads", "main.new")
	full.Store(&at)
	packs.Store(0)
	for range 3 {
		_, err = s.ReadFile("g")
		require.ErrorContains(t, err, "make room on that disk")
		require.EqualValues(t, 1, packs.Load())
		require.Equal(t, "1", readFile(t, s, "f"))
	}
	full.Store(nil)
	gitrepo.PassFullPause(r)
	require.Equal(t, "2", readFile(t, s, "g"))
	require.EqualValues(t, 2, packs.Load())
}

// TestAPackIsThereOnceItsIndexIs: a disk that is full between the two leaves no pack that whoever opens the mirror next cannot read.
func TestAPackIsThereOnceItsIndexIs(t *testing.T) {
	begun := func() (*gitrepo.Remote, *gitrepo.Snapshot) {
		r := newBare(t).remote()
		return r, commit(t, r, fetch(t, r), map[string][]byte{"f": []byte("1")})
	}
	packs := func(r *gitrepo.Remote) []string {
		files, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/*.pack"))
		require.NoError(t, err)
		return files
	}
	r, first := begun()
	known := packs(r)
	commit(t, r, first, map[string][]byte{"f": []byte("2")})
	var index string // of the second commit, which is the same wherever it is made
	for _, pack := range packs(r) {
		if !slices.Contains(known, pack) {
			index = strings.TrimSuffix(filepath.Base(pack), "pack") + "idx"
		}
	}
	require.NotEmpty(t, index)

	r, first = begun()
	known = packs(r)
	require.NoError(t, os.MkdirAll(filepath.Join(r.Dir, "objects/pack", index, "no index"), 0o700))
	commit(t, r, first, map[string][]byte{"f": []byte("2")})
	require.Equal(t, known, packs(r))
	require.Equal(t, "2", readFile(t, fetch(t, r), "f"))
}
