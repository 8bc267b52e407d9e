package kustomize

import "strings"

// A burden is how much a build of some components comes to that depends on the inputs.
type burden struct {
	reads   map[reading]int64 // how often values of the inputs are written into objects
	rereads map[reading]int64 // how often these, once written, are read and written again with what is around them
	merges  map[string]int64  // how often patches merge lists of the inputs
	texts   int64             // bytes that are read and written to change a part of them, without those of the inputs
	comparisons
}

// comparisons are what a build holds against each other, without that of the inputs, and how often it does so with each part of these.
type comparisons struct {
	images  int64 // fields against entries of images
	steps   int64 // of patterns
	names   int64 // fields that may name an object
	objects int64 // against which each is held

	imagesOf map[reading]int64 // entries of images that the fields in the value are held against
	stepsOf  map[reading]int64 // of the patterns that each byte of an image in the value is held against
	textsOf  map[reading]int64 // likewise, where the value itself is the image
}

// estimateBuild counts all that a build of the components comes to, before any of it is done, and fails where that is too much.
func estimateBuild(trees []Tree, components []string) (*burden, error) {
	return newSources(trees).estimateBuild(components)
}

func (s *sources) estimateBuild(components []string) (*burden, error) {
	var all, most expansion
	heaviest := ""
	for _, dir := range components {
		e := s.expand(dir)
		if all.add(e); heaviest == "" || plus(e.visits, e.objects) > plus(most.visits, most.objects) {
			heaviest, most = dir, e
		}
	}
	if message := all.exceeded(); message != "" {
		return nil, counted(heaviest, message)
	}
	stages := int64(len(components)) // of an analysis, each of which builds the components of the ones before it again
	for _, message := range []string{limitStages.exceeded(times(stages, all.visits)), limitStageNodes.exceeded(times(stages, all.nodes))} {
		if message != "" {
			return nil, counted(heaviest, message)
		}
	}
	run, acc := &estimate{sources: s}, &accumulation{}
	for _, dir := range components {
		run.component(dir, acc)
	}
	run.names, run.objects = plus(acc.references(), run.configured(acc)), int64(len(acc.items))
	run.fail(heaviest, limitNames.exceeded(times(run.names, run.objects)))
	if run.failure != nil {
		return nil, run.failure
	}
	return &run.burden, nil
}

// A readingTimes is a reading with its paths taken apart and how often it is made.
type readingTimes struct {
	source, over []string
	times        int64
	again        int64 // how often it is read and written, once written
	merges       int64 // by patches, of the list that it may be

	images, steps, textSteps int64 // as those of comparisons
}

// readings are the burden's, in an order of their own.
func (b *burden) readings() (all []readingTimes) {
	for r, n := range b.reads {
		one := readingTimes{
			source: strings.Split(r.source, fieldSeparator), times: n, again: b.rereads[r],
			images: b.imagesOf[r], steps: b.stepsOf[r], textSteps: b.textsOf[r],
		}
		if r.over != "" {
			one.over = strings.Split(r.over, fieldSeparator)
		}
		all = append(all, one)
	}
	for source, n := range b.merges {
		all = append(all, readingTimes{source: strings.Split(source, fieldSeparator), merges: n})
	}
	return all
}

// Outgrown says that the inputs' values, as often as they are written into objects, come to more than a build may have;
// empty: they do not. It is for wrappers of the skeleton's components.
func (s *Skeleton) Outgrown(inputs map[string]any) string {
	if message := limitKeys.exceeded(widest(inputs)); message != "" {
		return message
	}
	var nodes, bytes, merged int64
	texts := s.texts
	for _, r := range s.readings {
		n, size := measure(valueAt(inputs, r.source))
		number, again := r.times, r.again
		if list, ok := valueAt(inputs, r.source).([]any); ok {
			items := int64(len(list))
			merged = plus(merged, times(r.merges, times(items, items)))
		}
		if r.over != nil {
			fields, _ := measure(valueAt(inputs, r.over))
			number, again = times(number, fields), times(again, fields)
		}
		texts = plus(texts, times(again, size))
		nodes, bytes = plus(nodes, times(number, n)), plus(bytes, times(number, size))
	}
	if message := limitValues.exceeded(bytes); message != "" {
		return message
	}
	if message := limitItems.exceeded(nodes); message != "" {
		return message
	}
	if message := limitTexts.exceeded(texts); message != "" {
		return message
	}
	return limitMerges.exceeded(merged)
}

// widest is the number of keys of the mapping that has the most.
func widest(value any) (keys int64) {
	switch v := value.(type) {
	case map[string]any:
		keys = int64(len(v))
		for _, below := range v {
			keys = max(keys, widest(below))
		}
	case []any:
		for _, below := range v {
			keys = max(keys, widest(below))
		}
	}
	return keys
}

// measure counts the fields and items of a value and its bytes, about as JSON has them.
func measure(value any) (nodes, bytes int64) {
	switch v := value.(type) {
	case string:
		return 1, int64(len(v)) + 3
	case map[string]any:
		nodes, bytes = 1, 2
		for key, below := range v {
			n, size := measure(below)
			nodes, bytes = nodes+1+n, bytes+int64(len(key))+3+size
		}
		return nodes, bytes
	case []any:
		nodes, bytes = 1, 2
		for _, below := range v {
			n, size := measure(below)
			nodes, bytes = nodes+n, bytes+size
		}
		return nodes, bytes
	}
	return 1, 8
}
