package apply

import (
	"context"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ignores says whether a desired object has a field that is left to others.
func (p *pass) ignores(d *desired) bool {
	return slices.ContainsFunc(p.theirs(d), func(field string) bool {
		_, there, _ := unstructured.NestedFieldNoCopy(d.content, strings.Split(field, ".")...)
		return there
	})
}

// remember reads an object's field sets anew where they were dropped and the version lets others own fields of it.
func (p *pass) remember(ctx context.Context, d *desired) error {
	if d.live == nil || d.live.entries != nil || !p.ignores(d) {
		return nil
	}
	var err error
	d.live, err = p.fetch(ctx, d.kind, d.object)
	return err
}

// asked are the fields that are applied of a desired object: all of them, but for those that the version lets others own, or
// that its scaler sets, and that others do own now.
func (p *pass) asked(d *desired) map[string]any {
	content := d.content
	if d.live == nil {
		return content
	}
	own := fieldSet(ownEntry(d.live.entries))
	for _, field := range p.theirs(d) {
		content = leaveToOthers(content, own, strings.Split(field, "."))
	}
	return content
}

// leaveToOthers returns an object without the field, if the field set does not own it.
func leaveToOthers(object, own map[string]any, field []string) map[string]any {
	value, ok := object[field[0]]
	if !ok {
		return object
	}
	node, owned := fieldSegment(field[0]).find(own)
	if owned && len(node) == 0 {
		return object
	}
	rest := maps.Clone(object)
	if len(field) == 1 {
		if owned {
			return object
		}
		delete(rest, field[0])
		return rest
	}
	inner, ok := value.(map[string]any)
	if !ok {
		return object
	}
	rest[field[0]] = leaveToOthers(inner, node, field[1:])
	return rest
}
