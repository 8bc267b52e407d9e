package kustomize

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A limit is a number that a build may come to and no more, counted before the work is done. The same files come to the
// same number on every machine.
type limit struct {
	rule   string // of the Problem
	most   int64
	says   string // with the number that was counted
	remedy string
}

// The limits of one build. Each is several times the number of the largest published bases, and low enough that a build
// within all of them ends in seconds and in less than a gigabyte.
var (
	limitFiles = limit{"too-many-files", 10_000, "has %s files", "publish what is built, and keep the rest elsewhere"}
	limitTree  = limit{"too-large", 64 << 20, "has files of %s bytes in all", "publish what is built, and keep the rest elsewhere"}
	limitFile  = limit{"size", MaxFile, "is %s bytes long", "split it"}
	limitKeys  = limit{"too-many-keys", 10_000, "has a mapping with %s keys", "split it, or make it a list"}

	limitDocuments = limit{"too-many-documents", 10_000, "has %s documents", "leave out those that are empty, or split it"}

	limitExpansions = limit{"expansion", 10_000, "expands to %s components", "list each directory once"}
	limitLevels     = limit{"levels", 64, "lists directories that list directories, %s levels deep", "list them side by side"}
	limitStages     = limit{"expansion", 100_000, "looks at components %s times, at each together with those before it", "choose among fewer components"}
	limitStageNodes = limit{"expansion", 50_000_000, "looks at %s fields and items, at each component together with those before it", "choose among fewer components"}
	limitRead       = limit{"expansion", 128 << 20, "reads %s bytes, each file as often as it is listed", "list each file once"}
	limitObjects    = limit{"too-many", MaxObjects, "comes to %s objects", "split the version"}
	limitNodes      = limit{"too-large", 500_000, "comes to objects of %s fields and items", "split the version"}
	limitBytes      = limit{"too-large", 16 << 20, "comes to objects of %s bytes", "split the version, or shorten what is written into many objects"}

	limitLooks    = limit{"too-much-work", 1_000_000, "holds objects against patches, replacements and other changes %s times", "write one change for many objects, or split the version"}
	limitNames    = limit{"too-much-work", 2_000_000, "holds references to other objects against the names of objects %s times", "split the version, or leave out references that are no longer needed"}
	limitPattern  = limit{"too-long", 5_000, "has a pattern of %s steps in a target", "list names instead, or shorten what is repeated"}
	limitSteps    = limit{"too-much-work", 500_000_000, "holds names against patterns of %s steps", "shorten the patterns of targets, or split the version"}
	limitWalks    = limit{"too-much-work", 100_000_000, "walks over %s fields and items of objects", "write one change for many objects, or split the version"}
	limitMerging  = limit{"too-much-work", 1_500_000, "merges patches and generators into objects of %s fields and items, counted each time", "write one patch for all changes of an object, and one generator for all keys of a ConfigMap, or split the version"}
	limitImages   = limit{"too-much-work", 1_000_000, "holds images against images %s times", "leave out images that are the same everywhere, or split the version"}
	limitCopies   = limit{"too-much-work", 1_000, "copies inside of objects %s times", "write out what the operations copy, or move instead"}
	limitReplaced = limit{"growth", 16 << 20, "has replacements that copy %s bytes", "let replacements read from the inputs, not from what others wrote"}
	limitTexts    = limit{"too-much-work", 32 << 20, "has patches and replacements that read and write %s bytes", "write one patch with all operations, or let replacements write to fields instead of into text"}
	limitPairs    = limit{"too-long", 4 << 10, "has a prefix, suffix, namespace, label or image of %s bytes", "shorten it"}
	limitAffixes  = limit{"too-many-affixes", 100, "has %s different prefixes and suffixes", "name the objects in their own files"}

	limitValues = limit{"growth", 16 << 20, "writes values of %s bytes into objects", "shorten the values, or write them to fewer places"}
	limitMerges = limit{"growth", 25_000_000, "has lists that patches merge, holding %s items against each other", "shorten the lists"}
	limitItems  = limit{"growth", 500_000, "writes values of %s fields and items into objects", "shorten the values, or write them to fewer places"}
)

// copySizeLimit is how many bytes the copy operations of one JSON patch may add to its object.
const copySizeLimit = 1 << 20

// MaxFile is how many bytes a file of an offering may have, but for our own kinds and kustomizations.
const MaxFile = 4 << 20

// exceeded says that a number is over the limit, with the remedy; empty: it is not.
func (l limit) exceeded(n int64) string {
	if n <= l.most {
		return ""
	}
	return fmt.Sprintf(l.says+"; at most %s; %s", grouped(n), grouped(l.most), l.remedy)
}

// grouped writes a number as people read it: 1,048,576.
func grouped(n int64) string {
	if n == math.MaxInt64 {
		return "more than " + grouped(n-1)
	}
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// plus and times count without running over: a number that is too large stays too large.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func times(a, b int64) int64 {
	if a > 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}
