package reconciler

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABranchThatIsNotThereIsNamedWithThoseThatAre(t *testing.T) {
	require.EqualError(t, noCommit("url", "main", []string{"master", "next"}),
		"platform url has no branch main; it has master, next: name the one to follow with --branch, or push main")
	require.EqualError(t, noCommit("url", "main", nil), "platform url has no commit on its branch main yet: push one")
}
