package main

import (
	"context"
	"fmt"

	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/console"
)

// edited is the text of a request's file, as the platform's head has it, with other values below spec. Nothing is written.
func (t *tracer) edited(ctx context.Context, file string, set []console.Assignment) (string, error) {
	head := t.board.Status().Platform.Commit
	if head == "" {
		return "", fmt.Errorf("the platform is not read yet: %w", web.ErrNotFound)
	}
	files, err := t.platform.At(ctx, head)
	if err != nil {
		return "", err
	}
	content, err := files.ReadFile(file)
	if err != nil {
		return "", err
	}
	after := string(content)
	for _, one := range set {
		path := yamledit.Path{{Key: "spec"}}
		for _, key := range one.Path {
			path = append(path, yamledit.Step{Key: key})
		}
		if after, _, err = yamledit.Set(after, path, one.Value); err != nil {
			return string(content), fmt.Errorf("%s: %v: %w", file, one.Path, err)
		}
	}
	return after, nil
}
