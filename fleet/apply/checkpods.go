package apply

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Bounds of the reason why the Job of a check failed.
const (
	mostCheckPods = 20
	mostLastLine  = 200     // letters
	mostTail      = 8 << 10 // bytes
)

// result says how a Job ended: by its condition, the ailment of its pods, and the last line of the log.
func (r *checkRun) result(ctx context.Context, end *batchv1.JobCondition) CheckResult {
	if end.Type == batchv1.JobComplete {
		return CheckResult{Passed: true}
	}
	said := slices.DeleteFunc([]string{end.Reason, end.Message}, func(s string) bool { return s == "" })
	message := r.object(r.job).String() + " failed: " + strings.Join(said, ": ")
	if r.ailing != "" {
		message += "; " + r.ailing
	}
	if line := r.lastLine(ctx); line != "" {
		message += "; its log ends with " + line
	}
	return CheckResult{Message: message}
}

// pods lists the pods of the Job, the newest first. Where that may not be read, there are none.
func (r *checkRun) pods(ctx context.Context) (pods []corev1.Pod) {
	_ = r.client.request(ctx, func(ctx context.Context) error {
		list, err := r.client.core.Pods(r.in.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: batchv1.JobNameLabel + "=" + r.job.GetName(), Limit: mostCheckPods,
		})
		if err == nil {
			pods = list.Items
		}
		return err
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return pods
}

// lookAtPods notes what keeps the newest pod from its end. The pods are gone once the Job is over its deadline.
func (r *checkRun) lookAtPods(ctx context.Context) {
	if pods := r.pods(ctx); len(pods) > 0 {
		if r.ailing = ""; pods[0].Status.Phase != corev1.PodFailed {
			_, r.ailing, _ = ailment(&pods[0])
		}
	}
}

// lastLine is the last line of the log of the newest pod that failed, quoted; empty where it may not be read.
func (r *checkRun) lastLine(ctx context.Context) string {
	if !r.of.Log {
		return ""
	}
	for _, pod := range r.pods(ctx) {
		for _, s := range pod.Status.ContainerStatuses {
			if s.State.Terminated == nil || s.State.Terminated.ExitCode == 0 {
				continue
			}
			show := showing{r.client}
			log, err := show.OpenLog(ctx, Log{Namespace: pod.Namespace, Pod: pod.Name, Container: s.Name, Tail: 1})
			if err != nil {
				return ""
			}
			text, _ := io.ReadAll(io.LimitReader(log, mostTail))
			_ = log.Close()
			lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
			line := []rune(strings.Join(strings.Fields(string(lines[len(lines)-1])), " "))
			if len(line) > mostLastLine {
				line = append(line[:mostLastLine], '…')
			}
			return string(line)
		}
	}
	return ""
}
