package gitrepo_test

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

// unsigned is a pack without the sum at its end.
func unsigned(pack []byte) []byte { return pack[:len(pack)-sha1.Size] }

// line is a line of Git's protocol.
func line(content string) string { return fmt.Sprintf("%04x%s", len(content)+4, content) }

// sendPack answers a fetch with a pack, as sideband-64k has it.
func sendPack(w io.Writer, pack []byte) {
	_, _ = io.WriteString(w, line("NAK\n"))
	for len(pack) > 0 {
		n := min(60_000, len(pack))
		if _, err := io.WriteString(w, line("\x01"+string(pack[:n]))); err != nil {
			return
		}
		pack = pack[n:]
	}
	_, _ = io.WriteString(w, "0000")
}

// trickle writes a byte whenever a moment has passed, until the request ends.
func trickle(w http.ResponseWriter, req *http.Request, content string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		_, _ = io.WriteString(w, content[i%len(content):][:1])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-req.Context().Done():
			return
		}
	}
}

// TestAnswersOverTheLimitsAreRefused has servers that would fill the memory, or the time, of who asks.
func TestAnswersOverTheLimitsAreRefused(t *testing.T) {
	zeros := make([]byte, 4<<20)
	delta := binary.AppendUvarint(binary.AppendUvarint(nil, 10), 1<<40)
	small := gitrepo.Limits{PackBytes: 1 << 20, PackObjects: 1000, ObjectBytes: 1 << 20, AnswerBytes: 64 << 10}
	endlessly := gitrepo.Limits{PackBytes: 1 << 10}
	endless := strings.Repeat("\x01", 1000)
	pack := func(pack []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { sendPack(w, pack) }
	}
	for name, c := range map[string]struct {
		limits      gitrepo.Limits
		refs, fetch http.HandlerFunc
		want        string
	}{
		"a header of twelve bytes": {fetch: pack(packOf(t, 1<<32-1)), want: "the pack says that it has 4,294,967,295 objects; at most 2,000,000: " +
			"is this the right server? If it is, raise --git-pack-objects"},
		"a header that promises more": {
			fetch: pack(unsigned(packOf(t, 1_900_000, packed{kind: 3, size: 1, content: []byte("1")}))),
			want:  "the pack ends after 1 of the 1,900,000 objects that it says it has",
		},
		"an object that unpacks": {
			limits: small, fetch: pack(packOf(t, 1, packed{kind: 3, size: len(zeros), content: zeros})),
			want: "the pack has an object of 4Mi; at most 1Mi: is this the right server? If it is, raise --git-object-bytes",
		},
		"an object longer than it says": {limits: small, fetch: pack(packOf(t, 1, packed{kind: 3, size: 10, content: zeros})), want: "the pack is broken: "},
		"a delta of much":               {fetch: pack(packOf(t, 1, packed{kind: 7, size: len(delta), content: delta})), want: "the pack has an object of 1Ti; at most 64Mi"},
		"a delta of nothing":            {fetch: pack(packOf(t, 1, packed{kind: 7, size: 1, content: []byte{200}})), want: "a delta does not say what it makes"},
		"a delta of what is not there":  {fetch: pack(packOf(t, 1, packed{kind: 7, size: 2, content: []byte{1, 1}})), want: "the pack is broken: reference delta not found"},
		"a delta of the middle": {
			fetch: pack(packOf(t, 2, packed{kind: 3, size: 1, content: []byte("1")}, packed{kind: 6, distance: 3, size: 2, content: []byte{1, 1}})),
			want:  "the pack is broken: a delta is of an object that is not there",
		},
		"a delta of before the pack": {
			fetch: pack(packOf(t, 1, packed{kind: 6, distance: 1 << 20, size: 2, content: []byte{1, 1}})),
			want:  "the pack is broken: a delta is of an object that is not there",
		},
		"a delta of more than there is": {
			fetch: pack(packOf(t, 2, packed{kind: 3, size: 1, content: []byte("1")}, packed{kind: 6, of: 1, size: 4, content: []byte{1, 9, 0x90, 9}})),
			want:  "the pack is broken: invalid delta",
		},
		"a chain of deltas": {fetch: pack(chain(t, 4096)), want: "the pack is broken: an object is a chain of more than 4,095 deltas"},
		"a checksum of something else": {
			fetch: pack(append(unsigned(packOf(t, 1, packed{kind: 3, size: 1, content: []byte("1")})), make([]byte, sha1.Size)...)),
			want:  "the pack is broken: its checksum is 0000000000000000000000000000000000000000",
		},
		"a pack of something else": {
			fetch: pack(packOf(t, 1, packed{kind: 3, size: 1, content: []byte("1")})),
			want:  "the pack does not have commit ",
		},
		"a pack without end": {limits: endlessly, want: "the pack does not end; at most 1Ki", fetch: func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.WriteString(w, line("NAK\n")+line("\x01"+string(packOf(t, 900)[:12])))
			for one := string(unsigned(packOf(t, 1, packed{kind: 3, size: 1, content: []byte("1")}))[12:]); req.Context().Err() == nil; {
				_, _ = io.WriteString(w, line("\x01"+one))
			}
		}},
		"acknowledgements without end": {limits: small, want: "the pack does not end; at most 1Mi", fetch: func(w http.ResponseWriter, req *http.Request) {
			for req.Context().Err() == nil {
				_, _ = io.WriteString(w, line("ACK "+strings.Repeat("1", 40)+"\n"))
			}
		}},
		"branches without end": {
			limits: small, want: "the answer does not end; at most 64Ki: is this the right server? If it is, raise --git-answer-bytes",
			refs: func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
				_, _ = io.WriteString(w, line("# service=git-upload-pack\n")+"0000"+line(strings.Repeat("1", 40)+" HEAD\x00 side-band-64k\n"))
				for i := 0; req.Context().Err() == nil; i++ {
					_, _ = fmt.Fprint(w, line(fmt.Sprintf("%040x refs/heads/b%d\n", i+1, i)))
				}
			},
		},
		"branches one byte at a time": {
			want: "next to nothing came for 500ms: less than 1 KiB a second",
			refs: func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
				trickle(w, req, line(strings.Repeat("1", 60_000)))
			},
		},
		"a pack one byte at a time": {want: "next to nothing came for 500ms", fetch: func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.WriteString(w, line("NAK\n")+line("\x01"+string(packOf(t, 900)[:12])))
			trickle(w, req, line("\x01"+endless))
		}},
		"a header without end": {want: "exceeded", refs: func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			for err == nil {
				_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", 60_000)+"\r\nX-B: ")
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBare(t)
			b.commit("first", map[string]string{"f": "1"})
			broken := true
			o := overHTTPS(b, func(git http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					switch fetches := req.Method == http.MethodPost; {
					case broken && fetches && c.fetch != nil:
						_, _ = io.Copy(io.Discard, req.Body)
						c.fetch(w, req)
					case broken && !fetches && c.refs != nil:
						c.refs(w, req)
					default:
						git.ServeHTTP(w, req)
					}
				})
			})
			r := o.remote()
			r.Limits = c.limits
			r.Timeout = 30 * time.Second
			if strings.Contains(c.want, "for 500ms") {
				r.Timeout = 500 * time.Millisecond
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := r.Fetch(context.Background())
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, o.url+": ")
			require.ErrorContains(t, err, c.want)
			require.Less(t, (after.TotalAlloc-before.TotalAlloc)>>20, uint64(100), "MiB")
			broken = false
			r.Timeout = 0
			require.Equal(t, "1", readFile(t, fetch(t, o.again(r)), "f"), "it takes part again")
		})
	}
}

// again is r with the patience that it has by itself, and the same mirror.
func (o *origin) again(r *gitrepo.Remote) *gitrepo.Remote {
	return &gitrepo.Remote{URL: r.URL, Branch: r.Branch, Dir: r.Dir, Credentials: r.Credentials, Limits: r.Limits}
}

// TestPacksWithinTheLimitsAreTaken has a pack that is too large to be kept in memory.
func TestPacksWithinTheLimitsAreTaken(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		large := noise(6 << 20)
		o.commit("first", map[string]string{"f": large})
		require.Equal(t, large, readFile(t, fetch(t, o.remote()), "f"))
		r := o.remote()
		r.Limits.PackBytes = 1 << 20
		_, err := r.Fetch(context.Background())
		require.ErrorContains(t, err, "the pack does not end; at most 1Mi")
		r = o.remote()
		r.Limits.AnswerBytes = 10
		_, err = r.Fetch(context.Background())
		require.ErrorContains(t, err, "the answer does not end; at most 10")
	})
}

// TestATreeOfZerosTakesLittleMemory: anybody who may push a branch can say that it is a directory.
func TestATreeOfZerosTakesLittleMemory(t *testing.T) {
	zeros := make([]byte, 8<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Error(t, gitrepo.DecodeTree(zeros))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4*len(zeros)))
}
