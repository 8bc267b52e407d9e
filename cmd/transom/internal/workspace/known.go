package workspace

import (
	"regexp"

	"transom.dev/render/platform"
)

// Apart tells Problems that there were before from new ones. Lines move when a file is edited, so a Problem is known by its
// file, field and text; and entries of lists do, so that it may be that of another entry, where there are no more of them than before.
func Apart(problems, before []platform.Problem) (fresh, known []platform.Problem) {
	were := map[string]bool{}
	for _, problem := range before {
		were[withoutPosition(problem)] = true
	}
	are := map[string]bool{}
	for _, problem := range problems {
		are[withoutPosition(problem)] = true
	}
	moved := map[string]int{} // the earlier ones that are not where they were, by all but their indexes
	for _, problem := range before {
		if !are[withoutPosition(problem)] {
			moved[withoutIndex(problem)]++
		}
	}
	for _, problem := range problems {
		at := withoutIndex(problem)
		switch {
		case were[withoutPosition(problem)]:
			known = append(known, problem)
		case moved[at] > 0:
			moved[at]--
			known = append(known, problem)
		default:
			fresh = append(fresh, problem)
		}
	}
	return fresh, known
}

func withoutPosition(p platform.Problem) string {
	p.Line, p.Column = 0, 0
	return p.String()
}

var index = regexp.MustCompile(`\[\d+\]`)

func withoutIndex(p platform.Problem) string {
	p.Field = index.ReplaceAllLiteralString(p.Field, "[]")
	return withoutPosition(p)
}
