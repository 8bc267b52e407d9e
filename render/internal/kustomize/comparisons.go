package kustomize

import "strings"

// takenTimes is how many times as much a build may hold against each other whose version runs.
const takenTimes = 10

// Compared says that the images and names in the inputs' values, as often as they are written into objects, are held against too many others;
// empty: they are not. Taken says that the version runs: it may have ten times as many, and excused is true where it has more than others.
func (s *Skeleton) Compared(inputs map[string]any, taken bool) (message string, excused bool) {
	images, steps, names := s.images, s.steps, s.names
	for _, r := range s.readings {
		if r.merges > 0 {
			continue
		}
		value, number := valueAt(inputs, r.source), int64(1)
		if r.over != nil {
			number, _ = measure(valueAt(inputs, r.over))
		}
		found := countTexts(value, "")
		images = plus(images, times(times(number, r.images), found.images))
		steps = plus(steps, times(times(number, r.steps), found.imageBytes))
		if text, ok := value.(string); ok {
			steps = plus(steps, times(times(number, r.textSteps), int64(len(text))))
		}
		names = plus(names, times(times(number, r.times), found.names))
	}
	for _, counted := range []struct {
		limit limit
		n     int64
	}{{limitImages, images}, {limitSteps, steps}, {limitNames, times(names, s.objects)}} {
		if message := counted.limit.exceeded(counted.n); message != "" {
			return message, taken && counted.n <= times(takenTimes, counted.limit.most)
		}
	}
	return "", false
}

// textCounts counts the texts in a value of the inputs that are held against others.
type textCounts struct {
	images, imageBytes int64
	names              int64 // of other objects, maybe
}

// countTexts counts those below a value, given the field that has it.
func countTexts(value any, field string) (found textCounts) {
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			text, isText := below.(string)
			switch {
			case !isText:
				found.add(countTexts(below, key))
			case key == "image":
				found.images, found.imageBytes = found.images+1, found.imageBytes+int64(len(text))
			case strings.HasSuffix(key, "Name"), key == "name" && refers(field):
				found.names++
			}
		}
	case []any:
		for _, below := range v {
			if _, isText := below.(string); isText && field == "resourceNames" {
				found.names++
			} else {
				found.add(countTexts(below, field))
			}
		}
	}
	return found
}

func (c *textCounts) add(o textCounts) {
	c.images, c.imageBytes, c.names = c.images+o.images, c.imageBytes+o.imageBytes, c.names+o.names
}
