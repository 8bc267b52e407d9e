package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// The bounds of a chart that is vendored: several times the largest published ones.
const (
	mostChartBytes = 16 << 20
	mostChartFiles = 2000
)

// fromChart adds a first version that vendors a chart, offers the values that requests usually give, and has a golden case.
func (s *scaffold) fromChart(offering, number, from string) error {
	files, err := readChart(from)
	if err != nil {
		return fmt.Errorf("read the chart %s: %w", from, err)
	}
	if files["Chart.yaml"] == nil {
		return fmt.Errorf("read the chart %s: it has no Chart.yaml", from)
	}
	offers, err := offersOf(files)
	if err != nil {
		return fmt.Errorf("read the chart %s: %w", from, err)
	}
	dir := path.Join("offerings", offering, number)
	for name, content := range files {
		s.add(path.Join(dir, "chart", name), string(content))
	}
	s.add(path.Join(dir, "version.yaml"), chartVersion(offering, offers))
	s.golden(dir, offering, number)
	return s.want(path.Join(dir, "tests/defaults/want.yaml"))
}

// readChart reads the files of a chart, by their path inside it, from a directory or an archive.
func readChart(from string) (map[string][]byte, error) {
	info, err := os.Stat(from)
	if err != nil {
		return nil, err
	}
	c := chartFiles{files: map[string][]byte{}, remaining: mostChartBytes}
	if info.IsDir() {
		return c.files, c.directory(os.DirFS(from))
	}
	archive, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	return c.files, c.archive(archive)
}

type chartFiles struct {
	files     map[string][]byte
	remaining int64
}

func (c *chartFiles) directory(files fs.FS) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is no regular file; links are not followed", name)
		}
		file, err := files.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		return c.add(name, file)
	})
}

// archive reads a chart as "helm package" writes it: everything in one directory.
func (c *chartFiles) archive(from io.Reader) error {
	unzipped, err := gzip.NewReader(from)
	if err != nil {
		return fmt.Errorf("it is no directory, and no archive (.tgz) as \"helm package\" writes it: %w", err)
	}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch header.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader, tar.TypeXHeader:
			continue
		case tar.TypeReg:
		default:
			return fmt.Errorf("%q is no regular file; links are not followed", header.Name)
		}
		_, name, inside := strings.Cut(header.Name, "/")
		if !inside || !fs.ValidPath(header.Name) || strings.ContainsAny(name, "\\:") {
			return fmt.Errorf("%q is no path inside of a chart", header.Name)
		}
		if err := c.add(name, reader); err != nil {
			return err
		}
	}
}

func (c *chartFiles) add(name string, from io.Reader) error {
	content, err := io.ReadAll(io.LimitReader(from, c.remaining+1))
	c.remaining -= int64(len(content))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case c.remaining < 0:
		return fmt.Errorf("it is larger than %d MiB", mostChartBytes>>20)
	case len(c.files) == mostChartFiles:
		return fmt.Errorf("it has more than %d files", mostChartFiles)
	case c.files[name] != nil:
		return fmt.Errorf("it has %s twice", name)
	}
	c.files[name] = bytes.Clone(content)
	return nil
}
