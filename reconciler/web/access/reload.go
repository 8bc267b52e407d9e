package access

import "sync"

// A kept value is read from files, again and again. Files with a mistake leave the value before in place.
type kept[T any] struct {
	read func() (*T, error)
	same func(before, after *T) bool

	mu     sync.Mutex
	value  *T
	failed string // the mistake that was told last
}

// open reads the value for the first time.
func open[T any](read func() (*T, error), same func(before, after *T) bool) (*kept[T], error) {
	k := &kept[T]{read: read, same: same}
	var err error
	k.value, err = read()
	return k, err
}

func (k *kept[T]) now() *T {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.value
}

// Refresh reads the files again. It says whether the value changed, and tells a mistake once for as long as it stays the same.
func (k *kept[T]) Refresh() (changed bool, err error) {
	value, err := k.read()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		if k.failed == err.Error() {
			return false, nil
		}
		k.failed = err.Error()
		return false, err
	}
	k.failed = ""
	if k.same(k.value, value) {
		return false, nil
	}
	k.value = value
	return true, nil
}
