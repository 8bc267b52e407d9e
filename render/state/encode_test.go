package state_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func release() *state.Release {
	return &state.Release{
		Key:    platform.RequestKey{Team: "on", Name: "y"},
		Digest: platform.Digest("x"),
		Request: &platform.RequestSpec{
			Offering: "postgres", Version: "1",
			Parameters: map[string]any{
				"int": int64(9007199254740993), "float": 0.1, "text": "1e3", "no": "no", "null": nil, "date": "2027-01-01",
				"octal": "0o17", "multi": "a\nb\n", "empty": "", "map": map[string]any{"b": int64(1), "a": []any{true, "true"}},
				"colon": "a: b #c", "tab": "a\tb", "unicode": "ä\u2028😀", "control": "a\u007fb\u0085c", "big": 1e300, "small": -1.5e-7,
			},
			Environments: map[string]platform.RequestEnvironment{"dev": {}, "prod": {Version: "1.5", Parameters: map[string]any{"int": nil}}},
		},
		Offering: "postgres", Version: "1.5.0", VersionDigest: platform.Digest("y"), Commit: "0123456789", File: "requests/on/y.yaml",
		Clusters: map[string]state.Placement{"b": {Revision: "r", RenderKey: "k", Namespace: "on"}, "a": {Revision: "r", RenderKey: "k"}},
		Outputs:  map[string]any{"host": "x.y.svc", "port": int64(5432)},
		Scope:    platform.Namespaced,
		Health:   []platform.Health{{Group: "g", Kind: "K", Healthy: "status.ready"}},
		Ignore:   []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.replicas"}}},
		Deletion: platform.DeletionDelete,
		Promotion: state.Promotion{
			Origin: platform.Digest("o"), PromotedFrom: []string{"dev", "staging"},
			Gates: []state.PassedGate{{Gate: "approval", Decision: "decisions/prod/a.yaml", Commit: "0", Author: "a <a@b>"}},
			Rollout: &state.Rollout{
				Cause: "version", Group: "postgres@1.5.0", Pending: []string{"b"}, Stopped: "no: more",
				Entered: time.Date(2027, 1, 2, 3, 4, 5, 678, time.UTC),
			},
			Proven: []state.Proof{{
				Digest: platform.Digest("p"), Request: &platform.RequestSpec{
					Offering: "postgres", Version: "1", Environments: map[string]platform.RequestEnvironment{"dev": {}},
				},
				Offering: "postgres", Version: "1.4.2", Soaked: "30m0s", At: time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC),
			}},
			Ran:       []state.Ran{{Digest: platform.Digest("q"), Version: "1.4.1", State: "89abcdef"}},
			Rejected:  []state.Failure{{Cluster: "a", RenderKey: "k2", Release: "r", Version: "1.5.0", Message: "no", Approvals: []string{"d"}}},
			TakenBack: []state.TakenBack{{Release: platform.Digest("s"), State: "01234567"}},
			Admitted:  []string{"k3"},
		},
	}
}

// TestRecordsAreWrittenAsKubernetesWritesYAML byte for byte.
func TestRecordsAreWrittenAsKubernetesWritesYAML(t *testing.T) {
	odd := release()
	delete(odd.Request.Parameters, "control") // which sigs.k8s.io/yaml cannot write
	for n, text := range []string{
		"", " ", "~", "null", "y", "0x1F", "1:20", "1_000", ".inf", "=", "<<", "- a", "? b", "{}", "[", "'", "\"", "\\", "<&>",
		"a\r\nb", "\n", strings.Repeat("long words that are folded ", 12), strings.Repeat("x", 200), "2027-01-01T00:00:00Z", "\ufeff", "é\U0001F600",
	} {
		odd.Request.Parameters[text] = text
		odd.Request.Parameters[fmt.Sprint("n", n)] = []any{map[string]any{text: []any{text, text}}, math.Pow(10, float64(n)), -int64(n) << 40, uint64(math.MaxUint64)}
	}
	want, err := yaml.Marshal(map[string]any{
		"apiVersion": platform.APIVersion, "kind": "Release", "metadata": map[string]string{"name": "y", "team": "on"}, "spec": odd,
	})
	require.NoError(t, err)
	require.Equal(t, string(want), string(odd.Encode()))
}

// TestRecordsAreAlwaysWrittenInTheSameOfTheLibrarysOrders, over random values.
func TestRecordsAreAlwaysWrittenInTheSameOfTheLibrarysOrders(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 9))
	alphabets := []string{"aB_z", "ab19-", "0123456789", "0129.", "aB0.-/:_@", "0afe.+-", "a_-.A10", "yesno", "truefalsn", "ab c#:-\"'", "a,={}[]&*!|>%`~?\\"}
	word := func() string {
		alphabet := alphabets[random.IntN(4)]
		if random.IntN(40) == 0 {
			alphabet = alphabets[random.IntN(len(alphabets))]
		}
		text := make([]byte, random.IntN(9))
		if random.IntN(200) == 0 {
			text = make([]byte, 90+random.IntN(80))
		}
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(text)
	}
	var value func(depth int) any
	value = func(depth int) any {
		switch n := random.IntN(14); {
		case n < 3 && depth > 0:
			fields := map[string]any{}
			for range random.IntN(5) {
				fields[word()] = value(depth - 1)
			}
			return fields
		case n == 3 && depth > 0:
			items := []any{}
			for range random.IntN(4) {
				items = append(items, value(depth-1))
			}
			return items
		case n == 4:
			return random.Int64() >> random.IntN(64)
		case n == 5:
			return random.IntN(2) == 0
		case n == 6 && random.IntN(9) == 0:
			return nil
		case n == 7 && random.IntN(9) == 0:
			return random.Float64()
		}
		return word()
	}
	for range 10_000 {
		record := &state.Release{Outputs: map[string]any{word(): value(3), word(): value(2), "c" + word(): value(1)}}
		got := string(record.Encode())
		require.Equal(t, got, string(record.Encode()))
		want := ""
		for range 300 { // the library has several orders for some keys
			data, err := yaml.Marshal(map[string]any{
				"apiVersion": platform.APIVersion, "kind": "Release", "metadata": map[string]string{"name": "", "team": ""}, "spec": record,
			})
			require.NoError(t, err)
			if want = string(data); want == got {
				break
			}
		}
		require.Equal(t, want, got)
	}
}

func TestReleaseSurvivesItsFile(t *testing.T) {
	want := release()
	data := want.Encode()
	got, err := state.DecodeRelease(data)
	require.NoError(t, err, string(data))
	require.Equal(t, want, got)
	for range 20 {
		require.Equal(t, data, got.Encode())
	}
	tombstone := &state.Release{Key: want.Key, Digest: want.Digest, Absent: true, Offering: "postgres", Deletion: platform.DeletionRetain}
	got, err = state.DecodeRelease(tombstone.Encode())
	require.NoError(t, err)
	require.Equal(t, tombstone, got)
}

// TestReleasesWriteTheSameOrNot: WritesAs says of any two what their bytes say.
func TestReleasesWriteTheSameOrNot(t *testing.T) {
	values := []any{
		nil, []any(nil), map[string]any(nil),
		[]any{},
		map[string]any{},
		"", "1", "1.0", "true", true, int64(1), 1.0, 1.5, uint64(1), int64(1e15), 1e15, 1e21, "1e+21", "1e21", 1e-7,
		int64(math.MaxInt64), uint64(math.MaxUint64), float64(math.MaxUint64), "<&>", "\u2028",
		[]any{int64(1)},
		[]any{1.0},
		map[string]any{"a1": nil, "a01": ""},
		map[string]any{"a01": "", "a1": nil},
	}
	for _, one := range values {
		for _, other := range values {
			a, b := &state.Release{Outputs: map[string]any{"out": one}}, &state.Release{Outputs: map[string]any{"out": other}}
			require.Equal(t, string(a.Encode()) == string(b.Encode()), a.WritesAs(b), "%#v and %#v", one, other)
		}
	}
	a, b := release(), release()
	require.True(t, a.WritesAs(b))
	b.Key.Name = "other"
	require.False(t, a.WritesAs(b))
}

func TestFleetSurvivesItsFile(t *testing.T) {
	want := &state.Fleet{Platform: "12345678", Clusters: map[string]string{"on": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "a": "0"}}
	got, err := state.DecodeFleet(want.Encode())
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = state.DecodeFleet((&state.Fleet{}).Encode())
	require.NoError(t, err)
	require.Equal(t, &state.Fleet{}, got)
}

func TestRecordsOfOthersAreNotBelieved(t *testing.T) {
	for _, data := range []string{
		"", "hello", "kind: Release\n", "a: &a [*a]\n", string((&state.Fleet{}).Encode()),
		string(release().Encode()) + "more: fields\n",
	} {
		_, err := state.DecodeRelease([]byte(data))
		require.ErrorContains(t, err, "decode Release", data)
	}
}
