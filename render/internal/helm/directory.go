package helm

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/ignore"
)

// directory returns the files of a chart as Helm's loader of directories reads them: without those that the chart's .helmignore or
// Helm's own default names, and without byte order marks. The .helmignore of a subchart means nothing, since Helm reads only that of
// the directory it is given.
func directory(files map[string][]byte) (read []*archive.BufferedFile, err error) {
	rules := ignore.Empty()
	if text, there := files[ignore.HelmIgnore]; there {
		if rules, err = ignore.Parse(bytes.NewReader(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", ignore.HelmIgnore, err)
		}
	}
	rules.AddDefaults()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !ignored(rules, name) {
			read = append(read, &archive.BufferedFile{Name: name, Data: bytes.TrimPrefix(files[name], []byte("\ufeff"))})
		}
	}
	return read, nil
}

// ignored reports whether rules name a file, or a directory that it is in.
func ignored(rules *ignore.Rules, name string) bool {
	for n, c := range name {
		if c == '/' && rules.Ignore(name[:n], entryInfo{dir: true}) {
			return true
		}
	}
	return rules.Ignore(name, entryInfo{})
}

// An entryInfo tells the rules whether a path is a directory, which is all that they ask.
type entryInfo struct {
	fs.FileInfo
	dir bool
}

func (e entryInfo) IsDir() bool { return e.dir }
