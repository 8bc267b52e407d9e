package gitrepo_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
)

// text is a file of many lines, of which few differ from one n to the next: git packs them as deltas.
func text(n int) string {
	var b strings.Builder
	for line := range 300 {
		if line%100 == n%100 {
			fmt.Fprintf(&b, "line %d of version %d\n", line, n)
		} else {
			fmt.Fprintf(&b, "line %d, which says the same in all versions, and says it at some length: %d\n", line, line*line)
		}
	}
	return b.String()
}

func packsOf(t testing.TB, r *gitrepo.Remote) []string {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/*.pack"))
	require.NoError(t, err)
	return packs
}

// versions puts commits on top of branch main, one for each version of the text from n up.
func (b *bare) versions(n, commits int) {
	b.t.Helper()
	var stream strings.Builder
	for i := range commits {
		from := "from refs/heads/main^0\n"
		if i > 0 || n == 0 {
			from = ""
		}
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter dev <dev@example.com> %d +0000\ndata 6\ntheirs\n%s", 1_700_000_000+n+i, from)
		for name, content := range map[string]string{"text": text(n + i), "turn": fmt.Sprint((n + i) % 5)} {
			fmt.Fprintf(&stream, "M 644 inline %s\ndata %d\n%s\n", name, len(content), content)
		}
	}
	b.run(stream.String(), "-C", b.dir, "fast-import", "--quiet")
}

// filled returns a Remote whose mirror has no room: it has packs with deltas of many commits each, and packs of its own with what
// others have, too. The next version of the text is n.
func filled(t *testing.T) (b *bare, r *gitrepo.Remote, n int) {
	b = newBare(t)
	b.git("config", "receive.autogc", "false")
	r = b.remote()
	for len(packsOf(t, r)) < 50 {
		b.versions(n, 3)
		n += 3
		s := fetch(t, r)
		if n%2 == 0 {
			commit(t, r, s, map[string][]byte{"turn": []byte("same again"), "copy": []byte(text(n - 1))})
		}
	}
	return b, r, n
}

// TestMergedPacksHaveEachObjectOnce: deltas that are at another distance from their base objects, and objects that several packs have.
func TestMergedPacksHaveEachObjectOnce(t *testing.T) {
	t.Parallel()
	b, r, n := filled(t)
	entries := map[string]int{}
	for _, pack := range packsOf(t, r) {
		for line := range strings.Lines(b.run("", "-C", r.Dir, "verify-pack", "-v", pack)) {
			if fields := strings.Fields(line); len(fields) >= 5 && len(fields[0]) == 40 {
				entries[fields[0]]++
				if len(fields) == 7 {
					entries["deltas"]++
				}
			}
		}
	}
	all := 0
	for _, times := range entries {
		all += times
	}
	require.Greater(t, entries["deltas"], 50)
	require.Greater(t, all-entries["deltas"], len(entries)+10, "objects are in several packs")

	b.commit("one more", map[string]string{"text": text(n)})
	fetch(t, r)
	require.Len(t, packsOf(t, r), 2)
	b.run("", "-C", r.Dir, "fsck", "--strict", "--full")
	var counted int
	_, err := fmt.Sscanf(b.run("", "-C", r.Dir, "count-objects", "-v"), "count: 0\nsize: 0\nin-pack: %d", &counted)
	require.NoError(t, err)
	require.Equal(t, len(entries)-1+3, counted, "and a commit, a tree and a blob")

	again := b.remote()
	again.Dir = r.Dir
	for commits, i := strings.Fields(b.git("rev-list", "--reverse", "main", "--", "text")), 0; i < n; i++ {
		s, err := again.At(t.Context(), commits[i])
		require.NoError(t, err)
		require.Equal(t, text(i), readFile(t, s, "text"), "read by go-git")
	}
}

// TestDamageIsFoundWhenPacksAreMerged: packs whose bytes are not those that they came with are not copied into another one.
func TestDamageIsFoundWhenPacksAreMerged(t *testing.T) {
	t.Parallel()
	b, whole, n := filled(t)
	b.commit("one more", map[string]string{"text": text(n)})
	for name, damage := range map[string]func(b []byte) []byte{
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b },
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func([]byte) []byte { return nil },
	} {
		for _, kind := range []string{"pack", "idx"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				r := b.remote()
				require.NoError(t, os.CopyFS(r.Dir, os.DirFS(whole.Dir)))
				file := strings.TrimSuffix(packsOf(t, r)[7], "pack") + kind
				content, err := os.ReadFile(file)
				require.NoError(t, err)
				require.NoError(t, os.Remove(file))
				require.NoError(t, os.WriteFile(file, damage(bytes.Clone(content)), 0o644))
				require.Equal(t, text(n), readFile(t, fetch(t, r), "text"))
				require.Len(t, packsOf(t, r), 1, "the mirror is made anew")
				b.run("", "-C", r.Dir, "fsck", "--strict", "--full")
			})
		}
	}
}

// TestPacksAreReadWhileTheyAreMerged: nobody who reads meets packs that went.
func TestPacksAreReadWhileTheyAreMerged(t *testing.T) {
	t.Parallel()
	b, r, n := filled(t)
	s := fetch(t, r)
	want, first := readFile(t, s, "text"), b.git("rev-list", "--max-parents=0", "main")
	begun, ended, read := make(chan struct{}, 4), make(chan struct{}), make(chan int, 4)
	for range cap(read) {
		go func() {
			for times := 0; ; times++ {
				if times == 1 {
					begun <- struct{}{}
				}
				select {
				case <-ended:
					read <- times
					return
				default:
				}
				old, err := r.At(t.Context(), first)
				if err != nil {
					t.Error(err)
					begun <- struct{}{}
					read <- times
					return
				}
				for at, want := range map[*gitrepo.Snapshot]string{old: text(0), s: want} {
					if content, err := at.ReadFile("text"); err != nil || string(content) != want {
						t.Errorf("%.20q, %v", content, err)
					}
				}
			}
		}()
	}
	for range cap(begun) {
		<-begun
	}
	for range 3 { // the first of which merges
		b.versions(n, 1)
		require.Equal(t, text(n), readFile(t, fetch(t, r), "text"))
		n++
	}
	close(ended)
	for range cap(read) {
		require.Positive(t, <-read)
	}
}
