package apply_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// A first apply writes the inventory of an instance once, and each object once. Whether somebody else has an object of the
// same name is asked for all instances of a namespace together.
func TestAFirstApplyAsksOnceForAll(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("first", configMap("first", "1")))
	const instances, objects = 20, 4
	r.calls.take()
	began := time.Now()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range instances {
		name := fmt.Sprintf("web-%d", i)
		in := r.instance(name, documents(
			"{apiVersion: v1, kind: ServiceAccount, metadata: {name: "+name+"}}", configMap(name, "1"), service(name), deployment(name, "nginx:1")))
		group.Go(func() error {
			result, err := r.Apply(ctx, in)
			if err == nil && len(result.Changes) != objects {
				err = fmt.Errorf("%s: %+v", name, result)
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	calls := r.calls.take()
	wrote := writes(calls)
	slices.Sort(wrote)
	require.Len(t, wrote, instances*(objects+1), "an inventory and the objects of each: %v", wrote)
	require.Len(t, slices.Compact(wrote), instances*objects+1, "each object is written once")
	// Every three seconds, the first that asks for a kind asks for one object, and the next for all.
	const readsAtATime = 2*objects + 1
	times := 1 + int(time.Since(began)/(3*time.Second))
	require.LessOrEqual(t, len(calls)-len(wrote), readsAtATime*times, "%v", calls)
}

// The objects of a namespace that does not exist are asked for by nobody.
func TestNothingIsAskedForInANewNamespace(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web", "1"), service("web"), deployment("web", "nginx:1")))
	r.visit(in)
	inside := slices.DeleteFunc(r.calls.take(), func(call string) bool {
		path, read := strings.CutPrefix(call, "GET ")
		return !read || !strings.Contains(path, "/namespaces/"+r.team+"/")
	})
	require.Empty(t, inside)
}

// warm has visits of two instances ask for the ConfigMaps of the namespace, so that the next goes by a list.
func (r *rig) warm() {
	r.Helper()
	r.visit(r.instance("warm-1", configMap("warm-1", "1")))
	r.visit(r.instance("warm-2", configMap("warm-2", "1")))
	r.visit(r.instance("warm-3", configMap("warm-3", "1")))
}

func (r *rig) madeByOthers(name string) {
	r.Helper()
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"value": "theirs"}}
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Create(background, m, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(r, err)
}

// An object of somebody else that a list has is refused before any write, as one that is asked for by its name.
func TestAForeignObjectOfAListIsRefusedBeforeAnyWrite(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.madeByOthers("web-b")
	r.warm()
	r.calls.take()
	result := r.visit(r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1"))))
	require.Empty(t, writes(r.calls.take()))
	require.Len(t, result.Problems, 1)
	require.Contains(t, result.Problems[0].String(), "ConfigMap "+r.team+"/web-b: it exists and is not Transom's; it was made by kubectl-create")
	require.Empty(t, r.inventory("web"))
}

// Where somebody makes an object after the list and before the write, the API server refuses the write, and the next visit
// finds out whose it is.
func TestAnObjectThatCameAfterTheListIsNotOverwritten(t *testing.T) {
	for _, adopt := range []bool{false, true} {
		t.Run(fmt.Sprint(adopt), func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.visit(r.instance("first", configMap("first", "1")))
			r.warm()
			var once sync.Once
			r.calls.failing(func(request *http.Request) error {
				if request.Method == http.MethodPatch && strings.HasSuffix(request.URL.Path, "/web") {
					once.Do(func() { r.madeByOthers("web") })
				}
				return nil
			})
			in := r.instance("web", configMap("web", "1"))
			in.Adopt = adopt
			result := r.visit(in)
			require.Contains(t, result.Message, "somebody else wrote it at the same time")
			require.False(t, result.Settled)
			require.Equal(t, state.Progressing, result.Health)
			m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, map[string]string{"value": "theirs"}, m.Data)
			require.Empty(t, m.Labels)

			result = r.visit(in)
			if adopt {
				require.Equal(t, apply.Adopted, actions(result)["ConfigMap web"])
				return
			}
			require.Len(t, result.Problems, 1)
			require.Contains(t, result.Problems[0].String(), "it exists and is not Transom's")
		})
	}
}

// A namespace with very many objects of others is not listed again and again.
func TestManyForeignObjectsAreAskedForByName(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	group := errgroup.Group{}
	group.SetLimit(16)
	for i := range 251 {
		group.Go(func() error { r.madeByOthers(fmt.Sprintf("theirs-%03d", i)); return nil })
	}
	require.NoError(t, group.Wait())
	r.warm()
	r.calls.take()
	for _, name := range []string{"one", "two", "three"} {
		r.visit(r.instance(name, configMap(name, "1")))
	}
	path := "GET /api/v1/namespaces/" + r.team + "/configmaps"
	calls := r.calls.take()
	require.NotContains(t, calls, path)
	require.Contains(t, calls, path+"/three")
	require.NotEmpty(t, r.visit(r.instance("four", documents(configMap("four", "1"), configMap("theirs-250", "1")))).Problems)
}

// The number of requests under way follows the API server: it grows where the network is slow, stays where the server is, and is
// halved where the server says that there are too many.
func TestRequestsFollowTheAPIServer(t *testing.T) {
	const floor = 16
	// served is a server that works on a few requests at a time, behind a network.
	served := func(network time.Duration) func(int) (time.Duration, int) {
		return func(under int) (time.Duration, int) {
			const work, atATime = 5 * time.Millisecond, 2
			return network + work*time.Duration(max(1, under/atATime)), http.StatusOK
		}
	}
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, floor, apply.Paced(floor, 2000, served(0)))
		width := apply.Paced(floor, 4000, served(60*time.Millisecond))
		require.Greater(t, width, 32)
		require.Less(t, width, 64)
		require.Equal(t, 8*floor, apply.Paced(floor, 20_000, func(int) (time.Duration, int) { return 60 * time.Millisecond, http.StatusOK }))
		narrow := func(under int) (time.Duration, int) {
			if under > 4 {
				return time.Millisecond, http.StatusTooManyRequests
			}
			return 10 * time.Millisecond, http.StatusOK
		}
		width = apply.Paced(floor, 2000, narrow)
		require.LessOrEqual(t, width, 8)
		require.GreaterOrEqual(t, width, 1)
	})
}

// Behind a slow network so many requests as that wants are soon under way. They are not where the server is what is slow, not even for a
// moment, since they would only keep others waiting there.
func TestRequestsFollowASlowNetworkAtOnce(t *testing.T) {
	const floor = 16
	most := func(p apply.Pacing, writes int, took func(under int) time.Duration) (most int) {
		var mu sync.Mutex
		p.Make(writes, func(under int) (time.Duration, int) {
			mu.Lock()
			defer mu.Unlock()
			most = max(most, under)
			return took(under), http.StatusOK
		})
		return most
	}
	for name, c := range map[string]struct {
		took    func(under int) time.Duration
		writes  int
		atLeast int
		atMost  int
	}{
		"far": {
			func(int) time.Duration { return 30 * time.Millisecond },
			floor * (1 + 1 + 2 + 2 + 4 + 4 + 8), 8 * floor, 8 * floor,
		},
		"far, and a few at a time": {
			func(under int) time.Duration { return 30*time.Millisecond + time.Millisecond*time.Duration(under) },
			4000, 2 * floor, 4 * floor,
		},
		"near": {
			func(under int) time.Duration { return time.Duration(under) * time.Millisecond },
			2000, floor, floor,
		},
		"near, and each as slow as the others": {
			func(under int) time.Duration { return time.Duration(max(floor, under)) * time.Millisecond },
			300, floor, 2 * floor,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				found := most(apply.NewPacing(floor), c.writes, c.took)
				require.GreaterOrEqual(t, found, c.atLeast)
				require.LessOrEqual(t, found, c.atMost)
			})
		})
	}
	for name, before := range map[string]func(apply.Pacing){
		"it had too many requests before": func(p apply.Pacing) { p.Busy("1") },
		"it failed before": func(p apply.Pacing) {
			p.Make(1, func(int) (time.Duration, int) { return 30 * time.Millisecond, http.StatusServiceUnavailable })
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := apply.NewPacing(floor)
			before(p)
			require.Less(t, most(p, 1000, func(int) time.Duration { return 30 * time.Millisecond }), 3*floor, name)
		})
	}
}

// One write that was quicker than any after it bounds nothing for ever, and whoever only reads is not kept at the least width.
func TestRequestsComeBackToTheirWidth(t *testing.T) {
	const floor = 16
	always := func(took time.Duration, status int) func(int) (time.Duration, int) {
		return func(int) (time.Duration, int) { return took, status }
	}
	synctest.Test(t, func(t *testing.T) {
		p := apply.NewPacing(floor)
		require.Equal(t, floor, p.Make(1, always(time.Millisecond, http.StatusOK)))
		require.Equal(t, floor, p.Make(4000, always(60*time.Millisecond, http.StatusOK)))
		for range 40 {
			p.Make(1, always(60*time.Millisecond, http.StatusOK))
		}
		require.Equal(t, 8*floor, p.Make(20_000, always(60*time.Millisecond, http.StatusOK)))
	})
	synctest.Test(t, func(t *testing.T) {
		p := apply.NewPacing(floor)
		for range 10 {
			p.Make(1, always(time.Second, http.StatusTooManyRequests))
		}
		require.Equal(t, 1, p.Make(0, nil))
		require.Equal(t, floor, p.Make(1000, always(60*time.Millisecond, http.StatusPartialContent)))
	})
}

// Nothing is asked of a server before it wants to be asked again.
func TestRetryAfterIsHonoured(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", configMap("web", "1")))
	var mu sync.Mutex
	var refused time.Time
	early := 0
	r.calls.failing(func(*http.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if !refused.IsZero() && time.Since(refused) < 900*time.Millisecond {
			early++
		}
		return nil
	})
	r.calls.standIn(func(request *http.Request) *http.Response {
		mu.Lock()
		defer mu.Unlock()
		if request.Method != http.MethodPatch || !refused.IsZero() {
			return nil
		}
		refused = time.Now()
		return &http.Response{
			StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Body: http.NoBody, Request: request,
		}
	})
	group := errgroup.Group{}
	for i := range 12 {
		name := fmt.Sprintf("web-%d", i)
		in := r.instance(name, configMap(name, "1"))
		group.Go(func() error { _, err := r.Apply(background, in); return err })
	}
	require.NoError(t, group.Wait())
	require.False(t, refused.IsZero())
	require.LessOrEqual(t, early, 16, "those that were under way")
	require.Less(t, r.Width(), 16)
}
