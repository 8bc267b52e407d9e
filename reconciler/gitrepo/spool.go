package gitrepo

import (
	"bytes"
	"io"
	"os"
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

// ReadAt implements io.ReaderAt.
func (s *spool) ReadAt(p []byte, offset int64) (int, error) {
	if s.file == nil {
		return bytes.NewReader(s.memory.Bytes()).ReadAt(p, offset)
	}
	return s.file.ReadAt(p, offset)
}

// copyTo writes the first length bytes to a file.
func (s *spool) copyTo(file *os.File, length int64) error {
	if s.file == nil {
		_, err := file.Write(s.memory.Bytes()[:length])
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(file, s.file, length)
	return err
}

// close lets go of the content.
func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}
