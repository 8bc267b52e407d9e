package platform_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// stumbling is a snapshot of which one read fails after so many; negative: none.
type stumbling struct {
	snapshot
	after *int
}

func (s stumbling) stumble() error {
	*s.after--
	if *s.after == -1 {
		return errDisk
	}
	return nil
}

func (s stumbling) ReadFile(name string) ([]byte, error) {
	if err := s.stumble(); err != nil {
		return nil, err
	}
	return s.snapshot.ReadFile(name)
}

func (s stumbling) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := s.stumble(); err != nil {
		return nil, err
	}
	return s.snapshot.ReadDir(name)
}

// said is all that a platform says of its requests.
func said(p *platform.Platform) string {
	all := []string{outcome(p)}
	for _, env := range environments(p) {
		in := p.InstanceSet(env)
		all = append(all, fmt.Sprint(env, p.Placements(env), in.Len(), in.Placements(), releases(p, env)))
	}
	return strings.Join(all, "\n")
}

// TestALoadThatFailsLeavesNothingBehind: the next one comes to the same as a first one, and former platforms, which others still read, stay as they
// were.
func TestALoadThatFailsLeavesNothingBehind(t *testing.T) {
	type former struct {
		platform *platform.Platform
		said     string
	}
	var all []former
	failed := 0
	loaders := []*platform.Loader{{}, {AtOnce: 1}}
	atRandom(t, 7, 60, func(random *rand.Rand, fsys fstest.MapFS) {
		want, err := platform.Load(fsys)
		require.NoError(t, err)
		for _, l := range loaders {
			after, got := 0, (*platform.Platform)(nil)
			from := stumbling{snapshot{fsys, map[string]int{}}, &after}
			for tries := 0; got == nil || got.Deferred() > 0; tries++ {
				if after = -1; tries < 3 {
					after = random.IntN(40)
				}
				if got, err = l.Load(from); err != nil {
					require.ErrorIs(t, err, errDisk)
					failed++
					continue
				}
				all = append(all, former{got, said(got)})
			}
			require.Equal(t, lines(want.Problems), lines(got.Problems))
			require.Equal(t, said(want), said(got))
		}
		for _, f := range all {
			require.Equal(t, f.said, said(f.platform))
		}
		all = all[max(0, len(all)-8):]
	})
	require.Greater(t, failed, 10)
}
