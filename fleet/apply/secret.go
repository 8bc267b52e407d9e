package apply

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	passwordLength   = 32
	passwordAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// missingKeys lists the keys of a generated Secret that have no value yet. Which have one is known from the field
// sets of all managers; the values are never read.
func missingKeys(d *desired) []string {
	if d.keys == nil || d.live == nil || d.live.deleting || d.fault != "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(d.keys), func(k string) bool { return slices.Contains(d.live.dataKeys, k) })
}

// generateValues fills the keys of a generated Secret that have no value. The write is bound to the resourceVersion at
// which they had none, so that two daemons cannot overwrite each other's.
func (w writer) generateValues(ctx context.Context, d *desired) error {
	missing := missingKeys(d)
	if len(missing) == 0 {
		return nil
	}
	if err := w.fence.ensure(ctx); err != nil {
		return err
	}
	values := map[string][]byte{}
	for _, k := range missing {
		values[k] = password()
	}
	m, err := w.writerOf(d).patch(ctx, d.kind, d.object, types.MergePatchType, map[string]any{
		"metadata": map[string]any{"uid": d.live.uid(), "resourceVersion": d.live.version},
		"data":     values,
	}, metav1.PatchOptions{FieldManager: generatingManager})
	if err != nil {
		return w.recordRefusal(d, err)
	}
	d.putAnswer(reduceMeta(d.gvk.GroupKind(), m))
	if d.change == nil {
		d.change = &Change{Object: d.object, Action: Configured, Reason: "generated " + strings.Join(missing, ", ")}
	}
	return nil
}

// password is 190 bits of randomness in letters and digits, which need no quoting anywhere.
func password() []byte {
	const fair = byte(256 - 256%len(passwordAlphabet)) // above it, some letters would be likelier than others
	word := make([]byte, 0, passwordLength)
	for random := make([]byte, 2*passwordLength); len(word) < passwordLength; {
		_, _ = rand.Read(random) // it never fails
		for _, b := range random {
			if b < fair && len(word) < passwordLength {
				word = append(word, passwordAlphabet[int(b)%len(passwordAlphabet)])
			}
		}
	}
	return word
}
