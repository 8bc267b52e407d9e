package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	beat     = 10 * time.Second // from one line of a container that runs to the next
	mostTail = 1000             // lines of a log, where nobody says how many
)

// logs answers for the node of a cluster when its API server asks for the log of a container. No image runs here, and kwok has no logs:
// the lines say that, and follow from the status of the pod.
type logs struct{ client kubernetes.Interface }

// runLogs serves logs at a port until ctx is done.
func runLogs(ctx context.Context, client kubernetes.Interface, port int, c *credentials) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("serve logs: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /containerLogs/{namespace}/{pod}/{container}", logs{client})
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	return server.ServeTLS(listener, c.file(servingCertificate), c.file(servingKey))
}

// ServeHTTP answers as a kubelet does: with lines, or with a reason in plain text.
func (l logs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pod, err := l.client.CoreV1().Pods(r.PathValue("namespace")).Get(r.Context(), r.PathValue("pod"), metav1.GetOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	q := r.URL.Query()
	one, err := executionOf(pod, r.PathValue("container"), q.Get("previous") == "true")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	tail, err := strconv.Atoi(q.Get("tailLines"))
	if err != nil {
		tail = mostTail
	}
	until := one.until(time.Now())
	for _, line := range one.lines(one.started.Add(-1), until, tail) {
		fmt.Fprintln(w, line)
	}
	if q.Get("follow") == "true" && one.ended.IsZero() {
		one.follow(r.Context(), w, until)
	}
}

// An execution is what became of one start of a container.
type execution struct {
	image          string
	started, ended time.Time
	code           int32
}

// executionOf finds the start of a container that its log is about.
func executionOf(pod *corev1.Pod, container string, previous bool) (execution, error) {
	all := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	i := slices.IndexFunc(all, func(s corev1.ContainerStatus) bool { return s.Name == container })
	if i < 0 {
		return execution{}, fmt.Errorf("container %q in pod %q is waiting to start: PodInitializing", container, pod.Name)
	}
	s := all[i]
	last := s.LastTerminationState.Terminated
	switch {
	case previous && last == nil:
		return execution{}, fmt.Errorf("previous terminated container %q in pod %q not found", container, pod.Name)
	case previous || s.State.Waiting != nil && last != nil:
		return execution{s.Image, last.StartedAt.Time, last.FinishedAt.Time, last.ExitCode}, nil
	case s.State.Terminated != nil:
		return execution{s.Image, s.State.Terminated.StartedAt.Time, s.State.Terminated.FinishedAt.Time, s.State.Terminated.ExitCode}, nil
	case s.State.Running != nil:
		return execution{image: s.Image, started: s.State.Running.StartedAt.Time}, nil
	case s.State.Waiting != nil:
		return execution{}, fmt.Errorf("container %q in pod %q is waiting to start: %s", container, pod.Name, s.State.Waiting.Message)
	}
	return execution{}, fmt.Errorf("container %q in pod %q is waiting to start", container, pod.Name)
}

// until is the end of the log.
func (e execution) until(now time.Time) time.Time {
	if e.ended.IsZero() {
		return now
	}
	return e.ended
}

// lines are the last lines that were printed after one time and until another.
func (e execution) lines(after, until time.Time, tail int) (all []string) {
	keep := func(at time.Time, text string) {
		if at.After(after) && !at.After(until) {
			all = append(all, at.UTC().Format(time.RFC3339)+" "+text)
		}
	}
	if !e.ended.IsZero() && e.code != 0 {
		keep(e.ended, fmt.Sprintf("fatal: the tag of this image is %s, so it ends with code %d", e.image[strings.LastIndex(e.image, ":")+1:], e.code))
	}
	for n := int(until.Sub(e.started) / beat); n > 0 && len(all) < tail; n-- {
		keep(e.started.Add(time.Duration(n)*beat), fmt.Sprintf("still there after %s", time.Duration(n)*beat))
	}
	keep(e.started, fmt.Sprintf("started %s; no image runs in the sandbox, which makes these lines up", e.image))
	slices.Reverse(all)
	return all[max(0, len(all)-max(0, tail)):]
}

// follow writes the lines to come until ctx is done.
func (e execution) follow(ctx context.Context, w http.ResponseWriter, after time.Time) {
	flush := http.NewResponseController(w)
	for flush.Flush() == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(after.Add(beat - after.Sub(e.started)%beat))):
		}
		now := time.Now()
		for _, line := range e.lines(after, now, mostTail) {
			fmt.Fprintln(w, line)
		}
		after = now
	}
}
