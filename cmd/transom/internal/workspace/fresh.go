package workspace

import (
	"slices"

	"transom.dev/render/platform"
)

// deniedWhereNew are the rules whose Warnings are Problems where they are new: limits that came after files that are merged.
var deniedWhereNew = map[string]bool{"idle-window": true}

// Denied makes Problems of the new ones among those Warnings that only merged files may have.
func Denied(warnings []platform.Problem, isNew func(platform.Problem) bool) (problems, rest []platform.Problem) {
	for _, w := range warnings {
		if deniedWhereNew[w.Rule] && isNew(w) {
			w.Warning = false
			problems = append(problems, w)
		} else {
			rest = append(rest, w)
		}
	}
	return problems, rest
}

// DeniedBeside is Denied where the Warnings of before are known.
func DeniedBeside(warnings, before []platform.Problem) (problems, rest []platform.Problem) {
	fresh, known := Apart(warnings, before)
	problems, rest = Denied(fresh, func(platform.Problem) bool { return true })
	rest = append(rest, known...)
	slices.SortStableFunc(rest, platform.Problem.Compare)
	return problems, rest
}
