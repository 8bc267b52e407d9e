package gitrepo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// inMemory is how long a pack may be that is kept in memory while it is inspected. Most are: a fetch brings one commit.
const inMemory = 4 << 20

// A spool keeps a pack until it is known whether it is one: in memory, or where it is large in a file that has no name.
type spool struct {
	dir    string
	memory bytes.Buffer
	file   *os.File
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.memory.Len()+len(p) <= inMemory {
		return s.memory.Write(p)
	}
	if s.file == nil {
		file, err := os.CreateTemp(s.dir, "incoming-")
		if err != nil {
			return 0, &storageError{s.dir, err}
		}
		s.file = file
		if err := os.Remove(file.Name()); err != nil { // it goes with the process, whatever ends that
			return 0, &storageError{s.dir, err}
		}
		if _, err := s.memory.WriteTo(file); err != nil {
			return 0, &storageError{s.dir, err}
		}
		s.memory = bytes.Buffer{}
	}
	n, err := s.file.Write(p)
	if err != nil {
		err = &storageError{s.dir, err}
	}
	return n, err
}

// content returns the bytes that were written, from the start.
func (s *spool) content() (io.Reader, error) {
	if s.file == nil {
		return &s.memory, nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, &storageError{s.dir, err}
	}
	return s.file, nil
}

// close lets go of the content.
func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// inspect reads a pack to its end and keeps it in a spool. The spool comes back only if the pack is within the limits and
// holds as many objects, each as long, as its headers say: go-git allocates the size in a header before it reads on, so a
// header of twelve bytes could ask for all the memory there is. started is called once the pack has begun.
func inspect(pack io.Reader, dir string, limits Limits, started func()) (*spool, error) {
	s := &spool{dir: dir}
	in := &bounded{Reader: pack, remaining: limits.PackBytes, excess: limits.tooMuchPack()}
	var header [12]byte // read for itself, as a server may take its time before it
	n, err := io.ReadFull(in, header[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	started()
	in.Reader = io.MultiReader(bytes.NewReader(header[:n]), pack)
	err = inspectObjects(packfile.NewScanner(io.TeeReader(in, s)), limits)
	if err == nil {
		_, err = io.Copy(s, in) // the bytes that the scanner has not read: it stops at the checksum
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// inspectObjects reads the objects of a pack, one after the other.
func inspectObjects(scanner *packfile.Scanner, limits Limits) error {
	_, objects, err := scanner.Header()
	if err != nil {
		return brokenPack(err)
	}
	if int64(objects) > int64(limits.PackObjects) {
		return &excessError{
			fmt.Sprintf("the pack says that it has %s objects", countText(int64(objects))), countText(int64(limits.PackObjects)),
			"--git-pack-objects",
		}
	}
	unpacked := int64(0)
	for i := range objects {
		size, err := inspectObject(scanner, limits)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("the pack ends after %s of the %s objects that it says it has", countText(int64(i)), countText(int64(objects)))
		}
		if err != nil {
			return err
		}
		if unpacked += size; unpacked > limits.unpackedBytes() {
			return &excessError{"the pack unpacks to over 32 times that", sizeText(limits.PackBytes), "--git-pack-bytes"}
		}
	}
	if _, err := scanner.Checksum(); err != nil {
		return brokenPack(err)
	}
	return nil
}

// inspectObject returns the size of the next object; of a delta, that of its result where it is larger.
func inspectObject(scanner *packfile.Scanner, limits Limits) (int64, error) {
	header, err := scanner.NextObjectHeader()
	if err != nil {
		return 0, brokenPack(err)
	}
	size, start := header.Length, &startOf{}
	if size <= limits.ObjectBytes {
		written, _, err := scanner.NextObject(start)
		if err != nil {
			return 0, brokenPack(err)
		}
		if written != size {
			return 0, fmt.Errorf("the pack is broken: an object has %d bytes and says %d", written, size)
		}
		if header.Type == plumbing.OFSDeltaObject || header.Type == plumbing.REFDeltaObject {
			result, err := start.deltaResult()
			if err != nil {
				return 0, err
			}
			size = max(size, result)
		}
	}
	if size < 0 || size > limits.ObjectBytes {
		return 0, &excessError{"the pack has an object of " + sizeText(size), sizeText(limits.ObjectBytes), "--git-object-bytes"}
	}
	return size, nil
}

// brokenPack is the error with which reading a pack failed. The error that stopped the reading says more than that of the
// parser.
func brokenPack(err error) error {
	var excess *excessError
	var damaged *storageError
	if errors.As(err, &excess) || errors.As(err, &damaged) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if errors.Is(err, packfile.ErrEmptyPackfile) {
		return errors.New("the answer has no pack")
	}
	return fmt.Errorf("the pack is broken: %w", err)
}

// startOf keeps the first bytes that are written to it.
type startOf struct {
	kept [2 * binary.MaxVarintLen64]byte
	n    int
}

// Write implements io.Writer.
func (s *startOf) Write(p []byte) (int, error) {
	s.n += copy(s.kept[s.n:], p)
	return len(p), nil
}

// deltaResult is how long the object is that a delta makes, as the delta says: two numbers come first, the length of the
// base object and that of the result.
func (s *startOf) deltaResult() (int64, error) {
	_, n := binary.Uvarint(s.kept[:s.n])
	if n <= 0 {
		return 0, errBrokenDelta
	}
	result, m := binary.Uvarint(s.kept[n:s.n])
	if m <= 0 || result > 1<<62 {
		return 0, errBrokenDelta
	}
	return int64(result), nil
}

var errBrokenDelta = errors.New("the pack is broken: a delta does not say what it makes")
