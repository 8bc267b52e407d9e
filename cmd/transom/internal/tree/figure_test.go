package tree

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/state"
)

func TestAFigureIsInTheWordsOfPeople(t *testing.T) {
	for figured, says := range map[string]string{
		"version:web@1.1.0":           "of web@1.1.0",
		"environment:sha256:a":        "of what the environment changed",
		"environment:values:sha256:a": "of new values that it is bound to",
	} {
		require.Equal(t, says, figure(state.PassedGate{Gate: "rollout", Figure: figured}))
	}
	require.Equal(t, "urgent", figure(state.PassedGate{Gate: "window", Figure: "urgent"}))
}
