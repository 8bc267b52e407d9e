package kustomize

import (
	"errors"
	"slices"

	"transom.dev/render/platform"
)

// RuleCount is that of a Problem which says that a number of a build is over its limit.
const RuleCount = "too-much"

// IsCount reports whether a Problem of Guard says that some number is over its limit: versions that run are older than some limits.
func IsCount(p platform.Problem) bool {
	return p.Rule == RuleCount || p.Rule == limitFiles.rule || p.Rule == limitKeys.rule || p.Rule == limitAffixes.rule || p.Rule == limitDocuments.rule
}

func counted(dir, message string) *Failure {
	return &Failure{Dir: dir, Message: message, Counted: true}
}

// Excused reports whether an error of Analyse is that a version which runs comes to more than a limit. What overlays of an environment
// come to is never excused: they are no part of a version, and can be changed.
func Excused(trees []Tree, err error) bool {
	var failure *Failure
	if !errors.As(err, &failure) || !failure.Counted {
		return false
	}
	return slices.ContainsFunc(trees, func(t Tree) bool {
		_, inside := below(t.Dir, failure.Dir+"/")
		return t.Taken && inside
	})
}

// AnalyseUncounted is Analyse for a version that runs and comes to more than a limit. Its components are built by the wrapper's runner,
// within whose limits that stays. Nothing is looked for in replacements and patches, of which there may be very many: they were
// checked before an environment took the version.
func AnalyseUncounted(w Wrapper) (*Skeleton, error) {
	tree, err := skeletonTree(w.Trees)
	if err != nil {
		return nil, err
	}
	a := analysis{Skeleton: &Skeleton{}, wrapper: w}
	if a.stage, err = w.stage(tree, w.Components); err != nil {
		return nil, err
	}
	a.addObjects()
	return a.Skeleton, nil
}
