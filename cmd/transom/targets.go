package main

import (
	"fmt"

	"transom.dev/reconciler/notify"
)

// readTargets reads the operator's targets; without a file there are none.
func readTargets(file string) (notify.Targets, error) {
	if file == "" {
		return nil, nil
	}
	content, err := readSecret(file)
	if err != nil {
		return nil, fmt.Errorf("read --notify: %w", err)
	}
	targets, err := notify.ReadTargets(content)
	if err != nil {
		return nil, fmt.Errorf("--notify %s: %w", file, err)
	}
	return targets, nil
}
