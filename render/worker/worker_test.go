package worker

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
)

// orphan, in the environment, has the test binary start a job without end and say which process does it.
const orphan = "WORKER_TEST_ORPHAN"

func TestMain(m *testing.M) {
	Main()
	if os.Getenv(orphan) != "" {
		p := newPool(whole(60))
		go func() { _, _ = p.run(endless()) }()
		for range time.Tick(10 * time.Millisecond) {
			if children := processes(os.Getpid()); len(children) > 0 {
				fmt.Println(children[0])
				select {}
			}
		}
	}
	os.Exit(m.Run())
}

func whole(seconds int) limits { return limits{seconds, time.Minute} }

func newPool(l limits) *pool {
	return &pool{short: whole(1), whole: l, wait: firstWait, slots: make(chan struct{}, 2), tasks: map[digest]*task{}}
}

const (
	kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
	component     = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	configMap     = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
)

// job builds one directory.
func job(dir string, files map[string]string) kustomize.Job {
	j := kustomize.Job{Subject: dir, Files: map[string][]byte{
		"wrapper/kustomization.yaml": []byte(kustomization + "components: [../" + dir + "]\n"),
	}}
	for name, content := range files {
		j.Files[dir+"/"+name] = []byte(content)
	}
	return j
}

func small(dir string) kustomize.Job {
	return job(dir, map[string]string{"kustomization.yaml": component + "resources: [a.yaml]\n", "a.yaml": configMap})
}

// endless has 2^40 components, and needs next to no memory.
func endless() kustomize.Job {
	files := map[string]string{"kustomization.yaml": component + "resources: [a.yaml]\ncomponents: [c0]\n", "a.yaml": configMap, "c40/kustomization.yaml": component + "labels: [{pairs: {a: b}}]\n"}
	for n := range 40 {
		files[fmt.Sprintf("c%d/kustomization.yaml", n)] = component + fmt.Sprintf("components: [../c%d, ../c%d]\n", n+1, n+1)
	}
	return job("offerings/endless/1.0.0", files)
}

// boundless doubles an object forty times.
func boundless() kustomize.Job {
	doubles := "replacements:\n"
	for range 40 {
		doubles += "- {source: {kind: ConfigMap, fieldPath: data}, targets: [{select: {kind: ConfigMap}, " +
			"fieldPaths: [data.x, data.y], options: {create: true}}]}\n"
	}
	return job("offerings/boundless/1.0.0", map[string]string{
		"kustomization.yaml": component + "resources: [a.yaml]\n" + doubles, "a.yaml": configMap + "data: {a: b}\n",
	})
}

// chart is a call of a chart that has one template.
func chart(name, template string) kustomize.Job {
	return kustomize.Job{
		Subject: "offerings/" + name + "/1.0.0/chart",
		Files:   map[string][]byte{"Chart.yaml": []byte("apiVersion: v2\nname: a\nversion: 1.0.0\n"), "templates/a.yaml": []byte(template)},
		Chart:   []byte(`{"release": "a", "namespace": "a", "kubernetes": "1.33"}`),
	}
}

func requireUnfinished(t *testing.T, err error, text string) {
	t.Helper()
	var u *kustomize.Unfinished
	require.ErrorAs(t, err, &u)
	require.Contains(t, err.Error(), text)
}

// TestWhatTakesTooMuchIsEnded, whichever of its limits a job meets, and is not tried again before its time.
func TestWhatTakesTooMuchIsEnded(t *testing.T) {
	for name, c := range map[string]struct {
		job kustomize.Job
		l   limits
		how string
	}{
		"memory":    {boundless(), whole(60), "the build of offerings/boundless/1.0.0 needed more than 512 MiB of memory, and was ended"},
		"processor": {endless(), whole(1), "the build of offerings/endless/1.0.0 needed more than 1 s of processor time"},
		"clock":     {endless(), limits{60, time.Second}, "the build of offerings/endless/1.0.0 took longer than 1 s"},
		"a chart that loops": {
			chart("loops", "{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}"), whole(1),
			"the build of offerings/loops/1.0.0/chart needed more than 1 s of processor time, and was ended; what it was to replace stays. Look for a template that loops, or prints without end.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(c.l)
			_, err := p.run(c.job)
			requireUnfinished(t, err, c.how)
			require.Empty(t, p.resting, "workers")
			began := time.Now()
			_, err = p.run(c.job)
			requireUnfinished(t, err, c.how)
			require.Less(t, time.Since(began), time.Second/10, "it is not tried again")
			for _, task := range p.tasks {
				require.InDelta(t, firstWait.Seconds(), time.Until(task.until).Seconds(), 5)
				task.until = time.Now()
			}
			_, err = p.run(c.job)
			requireUnfinished(t, err, c.how)
			for _, task := range p.tasks {
				require.Equal(t, 2*firstWait, task.wait)
			}
			documents, err := p.run(small("offerings/small/1.0.0"))
			require.NoError(t, err)
			require.Len(t, documents, 1)
			require.Empty(t, zombies())
		})
	}
}

// TestNobodyWaitsForWhatTakesLong: a job without end is left to the background, others of its subject and its neighbours
// are done, and whoever asked is told of the end and of when it may be tried again.
func TestNobodyWaitsForWhatTakesLong(t *testing.T) {
	p := newPool(whole(1))
	p.wait = 3 * time.Second
	told := make(chan struct{}, 100)
	ready := func() { told <- struct{}{} }
	wait := func() {
		t.Helper()
		select {
		case <-told:
		case <-time.After(time.Minute):
			t.Fatal("nobody is told")
		}
	}
	_, err := p.soon(endless(), ready)
	requireUnfinished(t, err, "takes longer than others")

	documents, err := p.soon(small("offerings/small/1.0.0"), ready)
	require.NoError(t, err)
	require.Len(t, documents, 1)
	alike := small(endless().Subject)
	for _, err = p.soon(alike, ready); err != nil; _, err = p.soon(alike, ready) {
		requireUnfinished(t, err, "takes longer than others")
		wait()
	}
	for _, err = p.soon(endless(), ready); !strings.Contains(err.Error(), "processor time"); _, err = p.soon(endless(), ready) {
		requireUnfinished(t, err, "takes longer than others")
		wait()
	}
	for len(told) > 0 {
		<-told
	}
	wait() // until it may be tried again
	_, err = p.soon(endless(), ready)
	requireUnfinished(t, err, "needed more than 1 s of processor time")
	wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	key, err := keyOf(endless())
	require.NoError(t, err)
	require.Equal(t, 2*p.wait, p.tasks[key].wait)
}

// TestFailuresAreTold as if the job had run here.
func TestFailuresAreTold(t *testing.T) {
	p := newPool(whole(8))
	for _, j := range []kustomize.Job{
		job("offerings/a/1.0.0", map[string]string{"kustomization.yaml": component + "resources: [b.yaml]\n"}),
		job("offerings/a/1.0.0", map[string]string{"kustomization.yaml": component + "resources: [a.yaml, a.yaml]\n", "a.yaml": configMap}),
		job("offerings/a/1.0.0", nil),
	} {
		_, want := kustomize.Run(j)
		_, err := p.run(j)
		require.Error(t, want)
		require.Equal(t, want, err)
		var failure *kustomize.Failure
		require.ErrorAs(t, err, &failure)
	}
	require.Len(t, p.resting, 1, "one worker does all")
}

// TestAWorkerThatEndedAtRestIsNoFaultOfTheNextJob.
func TestAWorkerThatEndedAtRestIsNoFaultOfTheNextJob(t *testing.T) {
	p := newPool(whole(8))
	_, err := p.run(small("offerings/small/1.0.0"))
	require.NoError(t, err)
	require.NoError(t, p.resting[0].cmd.Process.Kill())
	_, err = p.run(small("offerings/other/1.0.0"))
	require.NoError(t, err)
	require.Empty(t, p.tasks)
	require.Empty(t, zombies())
}

// TestWorkersHaveNothing: no environment, no descriptors beside their pipes, no way to open more, and a limit on everything.
func TestWorkersHaveNothing(t *testing.T) {
	secret, err := os.Open("worker_test.go")
	require.NoError(t, err)
	defer secret.Close()
	t.Setenv("SECRET", "secret")
	p := newPool(whole(8))
	_, err = p.run(small("offerings/small/1.0.0"))
	require.NoError(t, err)
	dir := fmt.Sprintf("/proc/%d/", p.resting[0].cmd.Process.Pid)
	limits, err := os.ReadFile(dir + "limits")
	require.NoError(t, err)
	for _, limit := range []string{"Max data size 536870912", "Max cpu time", "Max open files 3", "Max file size 0", "Max core file size 0"} {
		require.Contains(t, strings.Join(strings.Fields(string(limits)), " "), limit)
	}
	environment, err := os.ReadFile(dir + "environ")
	require.NoError(t, err)
	require.Equal(t, "PATH=", string(bytes.Trim(environment, "\x00")))
	open, err := os.ReadDir(dir + "fd")
	require.NoError(t, err)
	for _, descriptor := range open {
		to, err := os.Readlink(dir + "fd/" + descriptor.Name())
		require.NoError(t, err)
		require.NotContains(t, to, "worker_test.go")
	}
}

// TestWorkersEndWithTheirProcess, however that ends and whatever they do.
func TestWorkersEndWithTheirProcess(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), orphan+"=1")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		var worker int
		_, err = fmt.Fscan(out, &worker)
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Signal(signal))
		require.Error(t, cmd.Wait())
		require.Eventually(t, func() bool { return !lives(worker) }, time.Minute, 10*time.Millisecond)
	}
}

// stat returns the state and the parent of a process.
func stat(pid int) (state string, parent int) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}

func lives(pid int) bool {
	state, _ := stat(pid)
	return state != "" && state != "Z"
}

// processes are the children of a process.
func processes(of int) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if _, parent := stat(pid); parent == of {
			pids = append(pids, pid)
		}
	}
	return pids
}

// zombies are the children of this process that nobody waited for.
func zombies() (pids []int) {
	for _, pid := range processes(os.Getpid()) {
		if state, _ := stat(pid); state == "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestNodesComeBackAsTheyWere, with the nodes that they share.
func TestNodesComeBackAsTheyWere(t *testing.T) {
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte("# head\na: &x {b: 'c', d: \"e\"} # line\nf: *x\ng: !!str 1\nh: |\n  i\n# foot\n"), &document))
	content, err := encodeNodes([]*yaml.Node{&document, &document})
	require.NoError(t, err)
	decoded, err := decodeNodes(content)
	require.NoError(t, err)
	require.Same(t, decoded[0], decoded[1])
	want, err := yaml.Marshal(&document)
	require.NoError(t, err)
	got, err := yaml.Marshal(decoded[0])
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))

	for n := range content {
		_, err := decodeNodes(content[:n])
		require.Error(t, err)
	}
}

// TestNodesThatComeToTooMuchAreRefused, where a shared node counts as often as it is met.
func TestNodesThatComeToTooMuchAreRefused(t *testing.T) {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: "a"}
	for range 40 {
		n = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n, n}}
	}
	_, err := encodeNodes([]*yaml.Node{n})
	require.EqualError(t, err, "comes to more than 24 MiB")
	n = &yaml.Node{Kind: yaml.SequenceNode}
	n.Content = []*yaml.Node{n}
	_, err = encodeNodes([]*yaml.Node{n})
	require.ErrorContains(t, err, "contains itself")
	var failure *kustomize.Failure
	require.ErrorAs(t, err, &failure)
}

// TestAChartIsRenderedInAWorker, which has no files, no network and no more room for its texts than for objects.
func TestAChartIsRenderedInAWorker(t *testing.T) {
	p := newPool(whole(20))
	documents, err := p.run(chart("small", `a: {{ .Release.Name }}{{ "\n" }}b: {{ .Files.Get "/etc/passwd" | quote }}`))
	require.NoError(t, err)
	require.Equal(t, []string{"templates/a.yaml", "a: a\nb: \"\""}, []string{documents[0].Content[0].Value, documents[0].Content[1].Value})

	_, err = p.run(chart("large", `a: {{ repeat 100000000 "a" }}`))
	require.EqualError(t, err, "comes to more than 24 MiB")
	_, err = p.run(chart("deep", `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`))
	require.EqualError(t, err, `templates/a.yaml:1:28: {{template "a" .}}: exceeded maximum template depth (100000)`)

	schema := chart("elsewhere", "a: b")
	schema.Files["charts/b/Chart.yaml"] = []byte("apiVersion: v2\nname: b\nversion: 1.0.0\n")
	schema.Files["charts/b/values.schema.json"] = []byte(`{"$ref" : "file:///etc/passwd"}`)
	_, err = p.run(schema)
	require.EqualError(t, err, "values.schema.json: it refers to file:///etc/passwd, and nothing outside of the chart is read; copy that into $defs")
}

// TestAWorkerSaysNothingOfOldFields: a worker's last words are there to say why it ended, and only so many of them are kept.
func TestAWorkerSaysNothingOfOldFields(t *testing.T) {
	p, err := begin()
	require.NoError(t, err)
	defer p.end()
	old := "patchesJson6902: [{target: {kind: ConfigMap, name: a}, patch: '[{\"op\": \"add\", \"path\": \"/data\", \"value\": {\"b\": \"c\"}}]'}]\n"
	a, err := p.do(job("old", map[string]string{"kustomization.yaml": component + "resources: [a.yaml]\n" + old, "a.yaml": configMap}), whole(60))
	require.NoError(t, err)
	require.NotEmpty(t, a.objects, "%v %s", a.failure, a.message)
	warned := chart("warned", "a: b")
	warned.Files["values.yaml"] = []byte("out of memory: 1\n")
	warned.Chart = []byte(`{"release": "a", "namespace": "a", "kubernetes": "1.33", "values": {"out of memory": {}}}`)
	a, err = p.do(warned, whole(60))
	require.NoError(t, err)
	require.NotEmpty(t, a.objects, "%v %s", a.failure, a.message)
	p.end()
	require.Empty(t, p.stderr.String(), "Helm warns of a value that is a map, and no map in the chart")
}
