package apply_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
)

// kubelet is a node whose kubelet answers for the logs of containers as given; the API server asks it like any other.
func (r *rig) kubelet(logs http.HandlerFunc) (node string) {
	r.Helper()
	server := httptest.NewTLSServer(logs)
	r.Cleanup(server.Close)
	host, text, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(r, err)
	port, err := strconv.Atoi(text)
	require.NoError(r, err)
	made, err := r.kube.CoreV1().Nodes().Create(background, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: r.team}}, metav1.CreateOptions{})
	require.NoError(r, err)
	r.Cleanup(func() { _ = r.kube.CoreV1().Nodes().Delete(background, made.Name, metav1.DeleteOptions{}) })
	made.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	made.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	_, err = r.kube.CoreV1().Nodes().UpdateStatus(background, made, metav1.UpdateOptions{})
	require.NoError(r, err)
	return made.Name
}

// TestLogsAndEventsOfAnInstanceAreItsOwn: those of its pods by its labels, through the API server, and no others.
func TestLogsAndEventsOfAnInstanceAreItsOwn(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.visit(in)
	ended := make(chan struct{})
	node := r.kubelet(func(w http.ResponseWriter, q *http.Request) {
		if most := q.URL.Query().Get("limitBytes"); q.URL.Query().Get("tailLines") == "10000" { // as a kubelet ends a long log
			n, _ := strconv.Atoi(most)
			_, _ = w.Write(bytes.Repeat([]byte("x"), n))
			return
		}
		fmt.Fprintf(w, "%s tail %s\n", q.URL.Path, q.URL.Query().Get("tailLines"))
		if q.URL.Query().Get("follow") != "" {
			_ = http.NewResponseController(w).Flush()
			<-q.Context().Done()
			close(ended)
		}
	})
	r.podOf("web", "web-1", corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "app", RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "it ends"}},
	}}})
	r.podOf("web", "other-1", corev1.PodStatus{Phase: corev1.PodRunning}, "transom.dev/request", "other")
	require.NoError(t, r.kube.CoreV1().Pods(r.team).Bind(t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1"}, Target: corev1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{}))

	pods, err := r.Pods(t.Context(), in.Owner, []string{r.team})
	require.NoError(t, err)
	require.Len(t, pods, 1)
	require.Equal(t, []apply.Container{{Name: "app", Restarts: 3}}, pods[0].Containers)
	require.Contains(t, pods[0].Message, "CrashLoopBackOff: it ends")

	log, err := r.OpenLog(t.Context(), apply.Log{Namespace: r.team, Pod: "web-1", Container: "app", Tail: 7})
	require.NoError(t, err)
	content, err := io.ReadAll(log)
	require.NoError(t, err)
	require.NoError(t, log.Close())
	require.Equal(t, "/containerLogs/"+r.team+"/web-1/app tail 7\n", string(content))

	log, err = r.OpenLog(t.Context(), apply.Log{Namespace: r.team, Pod: "web-1", Container: "app", Tail: 10_000})
	require.NoError(t, err)
	content, err = io.ReadAll(log)
	require.ErrorContains(t, err, "cut after 4 MiB: ask for fewer lines", "its latest lines are missing")
	require.Len(t, content, 4<<20)
	require.NoError(t, log.Close())

	log, err = r.OpenLog(t.Context(), apply.Log{Namespace: r.team, Pod: "web-1", Container: "app", Tail: 1, Follow: true})
	require.NoError(t, err)
	first, err := bufio.NewReader(log).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, first, "web-1/app tail 1")
	require.NoError(t, log.Close())
	<-ended // who stops reading ends the request

	_, err = r.OpenLog(t.Context(), apply.Log{Namespace: r.team, Pod: "web-9", Container: "app", Tail: 1})
	require.ErrorContains(t, err, `pods "web-9" not found`)

	for kind, name := range map[string]string{"Pod": "web-1", "ConfigMap": "web", "Secret": "web"} {
		_, err := r.kube.CoreV1().Events(r.team).Create(t.Context(), &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "e-"}, Type: "Warning", Reason: "Because", Message: kind, Count: 2,
			InvolvedObject: corev1.ObjectReference{Kind: kind, Namespace: r.team, Name: name}, LastTimestamp: metav1.Now(),
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	happened, err := r.Happenings(t.Context(), in.Owner, []apply.Object{{Kind: "ConfigMap", Namespace: r.team, Name: "web"}})
	require.NoError(t, err)
	var about []string
	for _, h := range happened {
		about = append(about, h.Object.String()+" "+h.Reason)
	}
	require.ElementsMatch(t, []string{"Pod " + r.team + "/web-1 Because", "ConfigMap " + r.team + "/web Because"}, about)
}
