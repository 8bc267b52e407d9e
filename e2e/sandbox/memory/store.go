// Package memory is the storage of an API server in memory, for many clusters at a time: the context of a request says which cluster
// it is about. It has the abilities of etcd for one API server: writes that depend on a revision, lists in pages, watches from a revision
// with bookmarks. It never forgets by time: objects with a time to live stay.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"
)

// Decorate makes the storage of one kind. It is a generic.StorageDecorator.
func Decorate(
	config *storagebackend.ConfigForResource, prefix string, _ func(runtime.Object) (string, error), newObject, _ func() runtime.Object,
	_ storage.AttrFunc, _ storage.IndexerFuncs, _ *cache.Indexers,
) (storage.Interface, factory.DestroyFunc, error) {
	return &store{codec: config.Codec, prefix: prefix, newObject: newObject}, func() {}, nil
}

var _ generic.StorageDecorator = Decorate

// store is the storage of one kind.
type store struct {
	codec     runtime.Codec
	prefix    string
	newObject func() runtime.Object
	versioner storage.APIObjectVersioner
}

var _ storage.Interface = &store{}

// Versioner is part of storage.Interface, as all below.
func (s *store) Versioner() storage.Versioner { return s.versioner }

func (s *store) decode(data []byte, revision uint64, into runtime.Object) error {
	if _, _, err := s.codec.Decode(data, nil, into); err != nil {
		return err
	}
	return s.versioner.UpdateObject(into, revision)
}

func (s *store) decoded(data []byte, revision uint64) (runtime.Object, error) {
	object := s.newObject()
	return object, s.decode(data, revision, object)
}

func (s *store) encode(object runtime.Object) ([]byte, error) {
	if err := s.versioner.PrepareObjectForStorage(object); err != nil {
		return nil, err
	}
	return runtime.Encode(s.codec, object)
}

func (s *store) Create(ctx context.Context, key string, object, out runtime.Object, _ uint64) error {
	if version, err := s.versioner.ObjectResourceVersion(object); err == nil && version != 0 {
		return storage.ErrResourceVersionSetOnCreate
	}
	data, err := s.encode(object)
	if err != nil {
		return err
	}
	revision := of(ctx).swap(s.prefix, key, 0, data)
	if revision == 0 {
		return storage.NewKeyExistsError(key, 0)
	}
	if out == nil {
		return nil
	}
	return s.decode(data, revision, out)
}

func (s *store) Delete(
	ctx context.Context, key string, out runtime.Object, preconditions *storage.Preconditions,
	validate storage.ValidateObjectFunc, _ runtime.Object, _ storage.DeleteOptions,
) error {
	for {
		found, _ := of(ctx).get(s.prefix, key)
		if found.revision == 0 {
			return storage.NewKeyNotFoundError(key, 0)
		}
		object, err := s.decoded(found.data, found.revision)
		if err != nil {
			return err
		}
		if preconditions != nil {
			if err := preconditions.Check(key, object); err != nil {
				return err
			}
		}
		if err := validate(ctx, object); err != nil {
			return err
		}
		if revision := of(ctx).swap(s.prefix, key, found.revision, nil); revision != 0 {
			return s.decode(found.data, revision, out)
		}
	}
}

func (s *store) Get(ctx context.Context, key string, o storage.GetOptions, out runtime.Object) error {
	found, _ := of(ctx).get(s.prefix, key)
	switch {
	case found.revision != 0:
		return s.decode(found.data, found.revision, out)
	case o.IgnoreNotFound:
		return runtime.SetZeroValue(out)
	default:
		return storage.NewKeyNotFoundError(key, 0)
	}
}

// GetList returns a page after the first as of now, at the revision of the first: a watch from there tells again of changes since.
func (s *store) GetList(ctx context.Context, key string, o storage.ListOptions, list runtime.Object) error {
	items, err := meta.GetItemsPtr(list)
	if err != nil {
		return err
	}
	into, err := conversion.EnforcePtr(items)
	if err != nil {
		return err
	}
	begin := directory(key, o.Recursive)
	at, from, err := storage.ValidateListOptions(begin, s.versioner, o)
	if err != nil {
		return err
	}
	keys, found, revision := of(ctx).under(s.prefix, begin, from)
	if from != "" && at > 0 {
		revision = uint64(at)
	}
	into.Set(reflect.MakeSlice(into.Type(), 0, len(keys)))
	for i := range keys {
		if limit := o.Predicate.Limit; limit > 0 && int64(into.Len()) == limit {
			next, err := storage.EncodeContinue(keys[i-1]+"\x00", begin, int64(revision))
			if err != nil {
				return err
			}
			var rest *int64
			if o.Predicate.Empty() {
				left := int64(len(keys) - i)
				rest = &left
			}
			return s.versioner.UpdateList(list, revision, next, rest)
		}
		if !o.Recursive && keys[i] != key {
			continue
		}
		object, err := s.decoded(found[i].data, found[i].revision)
		if err != nil {
			return err
		}
		if matches, err := o.Predicate.Matches(object); err != nil {
			return err
		} else if matches {
			into.Set(reflect.Append(into, reflect.ValueOf(object).Elem()))
		}
	}
	return s.versioner.UpdateList(list, max(revision, 1), "", nil)
}

// directory is the beginning of the keys that a request is about.
func directory(key string, recursive bool) string {
	if recursive && !strings.HasSuffix(key, "/") {
		return key + "/"
	}
	return key
}

func (s *store) GuaranteedUpdate(
	ctx context.Context, key string, out runtime.Object, ignoreNotFound bool, preconditions *storage.Preconditions,
	update storage.UpdateFunc, _ runtime.Object,
) error {
	for {
		found, _ := of(ctx).get(s.prefix, key)
		object := s.newObject()
		switch {
		case found.revision != 0:
			if err := s.decode(found.data, found.revision, object); err != nil {
				return err
			}
		case !ignoreNotFound:
			return storage.NewKeyNotFoundError(key, 0)
		}
		if preconditions != nil {
			if err := preconditions.Check(key, object); err != nil {
				return err
			}
		}
		next, _, err := update(object, storage.ResponseMeta{ResourceVersion: found.revision})
		if err != nil {
			return err
		}
		data, err := s.encode(next)
		if err != nil {
			return err
		}
		if found.revision != 0 && bytes.Equal(data, found.data) {
			return s.decode(found.data, found.revision, out)
		}
		if revision := of(ctx).swap(s.prefix, key, found.revision, data); revision != 0 {
			return s.decode(data, revision, out)
		}
	}
}

func (s *store) Watch(ctx context.Context, key string, o storage.ListOptions) (watch.Interface, error) {
	since, err := s.versioner.ParseResourceVersion(o.ResourceVersion)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", key, err)
	}
	return newWatcher(ctx, s, directory(key, o.Recursive), since, o)
}

func (s *store) Stats(context.Context) (storage.Stats, error) { return storage.Stats{}, nil }

func (s *store) ReadinessCheck() error { return nil }

func (s *store) RequestWatchProgress(context.Context) error { return nil }

func (s *store) GetCurrentResourceVersion(ctx context.Context) (uint64, error) {
	_, revision := of(ctx).get(s.prefix, "")
	return max(revision, 1), nil
}

func (s *store) EnableResourceSizeEstimation(storage.KeysFunc) error { return nil }

func (s *store) CompactRevision() int64 { return 0 }
