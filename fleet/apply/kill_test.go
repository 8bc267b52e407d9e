package apply_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

var errKilled = errors.New("the daemon was killed")

// killedAtEveryWrite brings instances from one content to another, each by a daemon that is killed after one write more
// than the one before and another that is started then, until one comes to its end unharmed. It returns how many were
// killed. The contents and the end are told the name of the instance.
func (r *rig) killedAtEveryWrite(from, to func(name string) apply.Instance, end func(name string)) (killed int) {
	r.Helper()
	for ; ; killed++ {
		name := fmt.Sprintf("web-%d", killed)
		r.connect()
		r.healthy(from(name))
		survived := r.killedAfter(killed, to(name))
		r.connect()
		r.healthy(to(name))
		end(name)
		if survived {
			return killed
		}
	}
}

// killedAfter makes visits by a daemon that is killed after a number of writes, and says whether it survived.
func (r *rig) killedAfter(writes int, in apply.Instance) (survived bool) {
	r.Helper()
	var remaining atomic.Int64 // requests are made side by side
	remaining.Store(int64(writes))
	r.calls.failing(func(request *http.Request) error {
		if request.Method == http.MethodGet && remaining.Load() > 0 {
			return nil
		}
		if remaining.Add(-1) < 0 {
			return errKilled
		}
		return nil
	})
	for {
		result, err := r.Apply(r.Context(), in)
		if err != nil {
			require.ErrorIs(r, err, errKilled)
			return false
		}
		if result.Health == state.Healthy && result.Settled {
			return true
		}
	}
}

// values are the data of an instance's ConfigMaps, by name.
func (r *rig) values(request string) map[string]string {
	r.Helper()
	all, err := r.kube.CoreV1().ConfigMaps(r.team).List(background, metav1.ListOptions{LabelSelector: "transom.dev/request=" + request})
	require.NoError(r, err)
	values := map[string]string{}
	for _, m := range all.Items {
		values[m.Name] = m.Data["value"]
	}
	return values
}

func TestKilledBetweenStepsTheSameEnd(t *testing.T) {
	r := newRig(t, &apiOnly)
	from := func(name string) apply.Instance {
		return r.instance(name, documents(configMap(name+"-a", "1"), inStep("1", configMap(name+"-old", "1"))))
	}
	to := func(name string) apply.Instance {
		return r.instance(name, documents(inStep("3", configMap(name+"-c", "2")), inStep("2", configMap(name+"-b", "2")), configMap(name+"-a", "2")))
	}
	killed := r.killedAtEveryWrite(from, to, func(name string) {
		require.Equal(t, map[string]string{name + "-a": "2", name + "-b": "2", name + "-c": "2"}, r.values(name))
		require.Empty(t, r.visit(to(name)).Changes)
	})
	require.Equal(t, 6, killed, "the inventory, three objects, what is pruned, and the inventory")
}

func TestKilledWhileSomethingGoesFirstTheSameEnd(t *testing.T) {
	r := newRig(t, &apiOnly)
	from := func(name string) apply.Instance {
		return r.instance(name, documents(annotated(configMap(name+"-old", "1"), "transom.dev/prune-order: first"), configMap(name+"-a", "1")))
	}
	to := func(name string) apply.Instance {
		return r.instance(name, documents(configMap(name+"-a", "2"), configMap(name+"-new", "2")))
	}
	killed := r.killedAtEveryWrite(from, to, func(name string) {
		require.Equal(t, map[string]string{name + "-a": "2", name + "-new": "2"}, r.values(name))
		require.Equal(t, "ConfigMap/"+r.team+"/"+name+"-a\nConfigMap/"+r.team+"/"+name+"-new\n", r.inventory(name))
	})
	require.Equal(t, 5, killed, "what goes first, the inventory, the inventory, and two objects")
}

func TestKilledBetweenDeleteAndCreateTheSameEnd(t *testing.T) {
	r := newRig(t, &apiOnly)
	content := func(sequence int64, value string) func(name string) apply.Instance {
		return func(name string) apply.Instance {
			return at(sequence, r.instance(name, documents(frozen(name+"-a", value), configMap(name+"-b", value))))
		}
	}
	killed := r.killedAtEveryWrite(content(1, "1"), content(2, "2"), func(name string) {
		require.Equal(t, map[string]string{name + "-a": "2", name + "-b": "2"}, r.values(name))
		require.Equal(t, "ConfigMap/"+r.team+"/"+name+"-a\nConfigMap/"+r.team+"/"+name+"-b\n", r.inventory(name))
	})
	require.Equal(t, 6, killed, "one object, one that is refused, its trial, the inventory, its end, and it anew")
}
