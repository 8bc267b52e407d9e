package reconciler_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

// consumers is a platform whose one offering has so many requests, in one environment that lets a tenth of them change
// at once.
func consumers(n int) map[string][]byte {
	files := map[string][]byte{
		"environments/dev.yaml": []byte(document("Environment", "dev") + `spec:
  state: {url: ../state-dev.git, branch: main}
  clusters: {matchLabels: {environment: dev}}
  rollout: {instances: {first: 1, maxConcurrent: 10%}}
`),
		"clusters/dev.yaml":            []byte(document("Cluster", "dev, labels: {environment: dev}") + "spec: {state: active}\n"),
		"offerings/note/offering.yaml": []byte(document("Offering", "note") + "spec: {title: Note, description: A note., owner: platform}\n"),
	}
	for i := range n {
		name := fmt.Sprintf("r%04d", i)
		files["requests/payments/"+name+".yaml"] = []byte(document("Request", name) +
			"spec:\n  offering: note\n  version: \"1\"\n  parameters: {text: hello}\n  environments: {dev: {}}\n")
	}
	publish(files, "1.0.0", "one")
	return files
}

func publish(files map[string][]byte, version, edition string) {
	dir := "offerings/note/" + version + "/"
	files[dir+"version.yaml"] = []byte(document("Version", "note") + "spec: {parameters: {type: object, required: [text], properties: {text: {type: string}}}}\n")
	files[dir+"kustomization.yaml"] = []byte(`apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [note.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.text}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.text]}]
`)
	files[dir+"note.yaml"] = []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {edition: " + edition + ", text: none}\n")
}

func document(kind, metadata string) string {
	return "apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + metadata + "}\n"
}

// begins has the daemon begin with a platform, and waits until dev stands at it.
func (s *system) begins(files map[string][]byte) {
	s.t.Helper()
	s.replace(files)
	s.fleet.says(s.Placed)
	first := s.commit("before")
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", first)
}

// merges makes files the platform, and waits until dev stands at it.
func (s *system) merges(message string, files map[string][]byte) {
	s.t.Helper()
	s.replace(files)
	merged := s.commit(message)
	s.Trigger.Fire("test")
	s.stands("dev", merged)
}

// rollOut publishes a version under so many consumers and returns how many commits it took to reach all of them.
func rollOut(t testing.TB, n int) (commits int) {
	s := newSystem(t)
	files := consumers(n)
	s.begins(files)
	s.rests("dev")
	require.Empty(t, s.Board.Status().Platform.Problems)
	require.Empty(t, s.Board.Status().Environments[0].Problems)
	before := s.commits("dev")
	publish(files, "1.1.0", "two")
	s.merges("after", files)
	s.rests("dev")
	manifests, err := filepath.Glob(filepath.Join(s.checkout("dev"), "clusters/dev/payments/r*.yaml"))
	require.NoError(t, err)
	require.Len(t, manifests, n)
	for _, file := range manifests {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(content), "edition: two", file)
	}
	return s.commits("dev") - before
}

// commits counts those of an environment's state.
func (s *system) commits(environment string) int {
	s.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s.git(s.dir+"/state-"+environment+".git", "rev-list", "--count", "main")))
	require.NoError(s.t, err)
	return n
}

// checkout is a work tree of an environment's state.
func (s *system) checkout(environment string) string {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), environment)
	s.git(s.dir, "clone", "-q", s.dir+"/state-"+environment+".git", dir)
	return dir
}

// manifest is what dev's state has for a request of payments.
func (s *system) manifest(request string) string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.checkout("dev"), "clusters/dev/payments", request+".yaml"))
	require.NoError(s.t, err)
	return string(content)
}

// TestANewVersionIsACommitPerStep and not one per instance: of forty consumers one is first, then four at a time.
func TestANewVersionIsACommitPerStep(t *testing.T) {
	commits := rollOut(t, 40)
	require.GreaterOrEqual(t, commits, 11, "one, and then ten steps for the rest")
	require.Less(t, commits, 20, "most are of several instances")
}

// TestManyThatBecomeHealthyAreFewCommits though they are healthy one after the other, and the platform is looked at all the
// time.
func TestManyThatBecomeHealthyAreFewCommits(t *testing.T) {
	f := &promptFleet{batch: 1, every: 20 * time.Millisecond}
	const many = 100 // that take two seconds
	s := newSystem(t)
	s.crowd(many, f)
	require.LessOrEqual(t, s.commits("dev"), 7, "of the requests, and of their health after 0, 1 and 3 seconds, and after 7 where the machine is slow")
}

// runs waits until an environment has a request of payments at a version.
func (s *system) runs(environment, request, version string) {
	s.t.Helper()
	changed, end := s.Board.Subscribe()
	defer end()
	limit := time.After(time.Minute)
	for {
		if slices.ContainsFunc(s.Board.Status().Instances, func(in status.Instance) bool {
			return in.Environment == environment && in.Request.Name == request && in.Version == version
		}) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			require.FailNow(s.t, "not there", "%s is not at %s in %s: %v", request, version, environment, s.Board.Status().Environments[0].Problems)
		}
	}
}

// TestManyThatCannotBeRenderedKeepNoOtherFromAVersion though they all come before it by name, and are not rendered all at
// once.
func TestManyThatCannotBeRenderedKeepNoOtherFromAVersion(t *testing.T) {
	s := newSystem(t)
	files := consumers(40)
	last := "requests/payments/r0039.yaml"
	files[last] = []byte(strings.ReplaceAll(string(files[last]), "hello", "welcome"))
	s.begins(files)
	s.rests("dev")
	publish(files, "1.1.0", "two")
	dir := "offerings/note/1.1.0/"
	files[dir+"components/note/kustomization.yaml"], files[dir+"components/note/note.yaml"] = files[dir+"kustomization.yaml"], files[dir+"note.yaml"]
	files[dir+"version.yaml"] = []byte(document("Version", "note") + `spec:
  parameters: {type: object, required: [text], properties: {text: {type: string}}}
  components: [{path: components/note, when: 'parameters.text != "hello"'}]
`)
	files[dir+"kustomization.yaml"] = []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {example.com/edition: two}\n")
	delete(files, dir+"note.yaml")
	s.replace(files)
	s.commit("a version that is empty for all but one")
	s.Trigger.Fire("test")
	s.runs("dev", "r0039", "1.1.0")
	for name, edition := range map[string]string{"r0000": "one", "r0038": "one", "r0039": "two"} {
		require.Contains(t, s.manifest(name), "edition: "+edition, name)
	}
}

// BenchmarkRollout is a new version under a thousand consumers: one is first, then a hundred at a time.
func BenchmarkRollout(b *testing.B) {
	const consumers, steps = 1000, 11
	for b.Loop() {
		b.ReportMetric(float64(rollOut(b, consumers))/steps, "rollout-1000-consumers:commits-per-step")
	}
}
