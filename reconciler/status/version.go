package status

import (
	"strings"

	"github.com/Masterminds/semver/v3"
)

// CompareVersions orders the versions of an offering by their numbers, as texts where one has none.
func CompareVersions(x, y string) int {
	a, errA := semver.NewVersion(x)
	b, errB := semver.NewVersion(y)
	if errA != nil || errB != nil {
		return strings.Compare(x, y)
	}
	return a.Compare(b)
}
