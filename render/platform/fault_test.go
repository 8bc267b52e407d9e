package platform

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFaultIsTheProblemOfItsFile, whatever code of ours or of others panics while a file is read or a request resolved.
func TestAFaultIsTheProblemOfItsFile(t *testing.T) {
	const says = "reading it came upon a fault of Transom, which is worth a report: nobody thought of that, at transom.dev/render/platform."
	f := &file{path: "clusters/a.yaml", data: []byte("a: b\n")}
	made := decode(f, func(d *document) *Cluster {
		if d.object != nil {
			panic("nobody thought of that")
		}
		return decodeCluster(d, "a")
	})
	require.True(t, made.value.Broken)
	require.Len(t, made.problems, 1)
	require.Contains(t, made.problems[0].Message, says)
	require.Equal(t, "clusters/a.yaml", made.problems[0].File)

	key := RequestKey{"payments", "shop"}
	request := (*Loader)(nil).decoded(&file{path: key.File(), data: []byte("a: b\n")}, key) // nil panics where it keeps what it read
	require.True(t, request.request.Broken)
	require.Len(t, request.problems, 1)
	require.Equal(t, &key, request.problems[0].Request)
	require.Equal(t, "fault", request.problems[0].Rule)

	whole := &requestFile{request: &Request{Key: key, File: key.File(), Spec: RequestSpec{Offering: "a", Environments: map[string]RequestEnvironment{"dev": {}}}}}
	r := resolveGuarded(&Platform{}, whole, nil, nil)
	require.True(t, r.request.Broken)
	require.False(t, whole.request.Broken)
	require.Len(t, r.problems, 1)
	require.Equal(t, &key, r.problems[0].Request)
	require.Equal(t, "fault", r.problems[0].Rule)
}

// TestAFaultOfManyIsThatOfTheCaller: a panic in a goroutine of its own would end the process.
func TestAFaultOfManyIsThatOfTheCaller(t *testing.T) {
	require.PanicsWithValue(t, "nobody thought of that", func() {
		forAll(10_000, func(i int) {
			if i == 5_000 {
				panic("nobody thought of that")
			}
		})
	})
}
