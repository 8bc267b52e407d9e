package worker

import (
	"bufio"
	"errors"
	"io"
	"log"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/helm"
	"transom.dev/render/internal/kustomize"
)

// argument is the one argument that makes a process of this binary a worker.
const argument = "worker-of-transom"

// enabled says that this binary has workers.
var enabled atomic.Bool

// Main makes this process a worker, and does not return, if it was started as one. Otherwise jobs of this process run in
// workers from now on. A main function, or a TestMain, calls it before anything else.
func Main() {
	if len(os.Args) == 2 && os.Args[1] == argument {
		stderr := os.Stderr
		os.Stderr = nil           // Kustomize prints warnings to it; whoever started the worker wants to read why it ended
		log.SetOutput(io.Discard) // Helm's warnings, too
		if err := serve(); err != nil {
			_, _ = stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	keepInherited()
	enabled.Store(true)
}

// serve does jobs until standard input ends.
func serve() error {
	runtime.GOMAXPROCS(2)   // one of them collects garbage
	debug.SetGCPercent(200) // most of the heap in use is Kustomize's schema
	debug.SetMemoryLimit(memoryLimit * 3 / 4)
	debug.SetMaxStack(memoryLimit / 4)
	kustomize.Warm()
	if err := confine(); err != nil {
		return err
	}
	requests := make(chan []byte)
	go func() {
		in := bufio.NewReader(os.Stdin)
		for {
			content, err := readFrame(in, maxRequest)
			if err != nil {
				os.Exit(0) // whoever started this process has ended, or wants it to end
			}
			requests <- content
		}
	}()
	charts := new(helm.Charts)
	for content := range requests {
		q, err := decodeRequest(content)
		if err != nil {
			return err
		}
		if err := allow(q.seconds); err != nil {
			return err
		}
		a := do(q, charts)
		a.used = processorTime()
		if err := writeFrame(os.Stdout, a.encode()); err != nil {
			return err
		}
	}
	return nil
}

// do runs a job and encodes its result.
func do(q request, charts *helm.Charts) (a response) {
	documents, err := run(kustomize.Job{Files: q.files, Chart: q.chart}, charts.Render)
	if err == nil {
		a.objects, err = encodeNodes(documents)
	}
	switch {
	case err == nil:
	case errors.As(err, &a.failure):
		a.failure.Message = cut(a.failure.Message)
	default:
		a.message = cut(err.Error())
	}
	return a
}

func cut(message string) string {
	return message[:min(len(message), maxMessage)]
}

// here runs a job in this process.
func here(j kustomize.Job) ([]*yaml.Node, error) { return run(j, helm.Render) }

// run runs a job, and print for a chart.
func run(j kustomize.Job, print func(files map[string][]byte, call []byte) (map[string]string, error)) ([]*yaml.Node, error) {
	if len(j.Chart) == 0 {
		return kustomize.Run(j)
	}
	printed, err := print(j.Files, j.Chart)
	if err != nil {
		return nil, &kustomize.Failure{Message: err.Error()}
	}
	texts := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range slices.Sorted(maps.Keys(printed)) {
		texts.Content = append(texts.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, &yaml.Node{Kind: yaml.ScalarNode, Value: printed[name]})
	}
	return []*yaml.Node{texts}, nil
}
