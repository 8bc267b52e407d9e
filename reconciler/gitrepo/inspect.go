package gitrepo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
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
// header of twelve bytes could ask for all the memory there is. started is called once the pack has begun. The checksum of the
// pack is for who indexes it.
func inspect(pack io.Reader, dir string, limits Limits, started func()) (*spool, error) {
	s := &spool{dir: dir}
	in := io.TeeReader(&bounded{Reader: pack, remaining: limits.PackBytes, excess: limits.tooMuchPack()}, s)
	var header [12]byte // read for itself, as a server may take its time before it
	n, err := io.ReadFull(in, header[:])
	if err != nil && !endOfPack(err) {
		return nil, err
	}
	started()
	err = inspectObjects(header[:n], &packScanner{in: bufio.NewReaderSize(in, 32<<10)}, limits)
	if err == nil {
		_, err = io.Copy(io.Discard, in) // the bytes that the scanner has not read: it stops at the checksum
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// inspectObjects reads the objects of a pack, one after the other.
func inspectObjects(header []byte, scanner *packScanner, limits Limits) error {
	objects, err := objectsOf(header)
	if err != nil {
		return err
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
		if endOfPack(err) {
			return fmt.Errorf("the pack ends after %s of the %s objects that it says it has", countText(int64(i)), countText(int64(objects)))
		}
		if err != nil {
			return err
		}
		if unpacked += size; unpacked > limits.unpackedBytes() {
			return &excessError{"the pack unpacks to over 32 times that", sizeText(limits.PackBytes), "--git-pack-bytes"}
		}
	}
	_, err = scanner.in.Discard(len(plumbing.ZeroHash))
	if endOfPack(err) {
		return errors.New("the pack ends before its checksum")
	}
	return err
}

// inspectObject returns the size of the next object; of a delta, that of its result where it is larger.
func inspectObject(scanner *packScanner, limits Limits) (int64, error) {
	kind, size, err := scanner.nextHeader()
	if err != nil {
		return 0, err
	}
	if size <= limits.ObjectBytes {
		start, err := scanner.nextContent(size)
		if err != nil {
			return 0, brokenPack(err)
		}
		if kind == plumbing.OFSDeltaObject || kind == plumbing.REFDeltaObject {
			result, err := deltaResult(start)
			if err != nil {
				return 0, err
			}
			size = max(size, result)
		}
	}
	if size > limits.ObjectBytes {
		return 0, &excessError{"the pack has an object of " + sizeText(size), sizeText(limits.ObjectBytes), "--git-object-bytes"}
	}
	return size, nil
}

// endOfPack says whether reading failed because there is no more.
func endOfPack(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// brokenPack is the error with which reading a pack failed. The error that stopped the reading says more than that of who
// reads.
func brokenPack(err error) error {
	var excess *excessError
	var damaged *storageError
	if errors.As(err, &excess) || errors.As(err, &damaged) || endOfPack(err) {
		return err
	}
	return fmt.Errorf("the pack is broken: %w", err)
}

// deltaResult is how long the object is that a delta makes, as the start of the delta says: two numbers come first, the length
// of the base object and that of the result.
func deltaResult(start []byte) (int64, error) {
	_, n := binary.Uvarint(start)
	if n <= 0 {
		return 0, errBrokenDelta
	}
	result, m := binary.Uvarint(start[n:])
	if m <= 0 || result > 1<<62 {
		return 0, errBrokenDelta
	}
	return int64(result), nil
}

var errBrokenDelta = errors.New("the pack is broken: a delta does not say what it makes")
