package workspace

import "transom.dev/render/platform"

// Apart tells Problems that there were before from new ones. Lines move when a file is edited, so a Problem is known by its
// file, field and text.
func Apart(problems, before []platform.Problem) (fresh, known []platform.Problem) {
	were := map[string]bool{}
	for _, problem := range before {
		were[withoutPosition(problem)] = true
	}
	for _, problem := range problems {
		if were[withoutPosition(problem)] {
			known = append(known, problem)
		} else {
			fresh = append(fresh, problem)
		}
	}
	return fresh, known
}

func withoutPosition(p platform.Problem) string {
	p.Line, p.Column = 0, 0
	return p.String()
}
