package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// A file is an open file of known size that can be read at any offset, by
// several goroutines at once.
type file struct {
	name   string // for messages
	size   int64
	data   []byte      // all of it, when it lies in memory; else nil
	reader io.ReaderAt // set when data is nil
	closer io.Closer   // may be nil
}

// inMemory is implemented by an fs.File whose whole content lies in memory and
// stays there unchanged after Close, such as an embedded one.
type inMemory interface{ Bytes() []byte }

// openFile opens path in fsys; name is what messages call it.
func openFile(fsys fs.FS, path, name string) (_ *file, err error) {
	// Before Open, which would wait for somebody to write to a named pipe.
	info, err := fs.Stat(fsys, path)
	if err != nil {
		return nil, ioError(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, ioError(name, errors.New("not a regular file"))
	}
	opened, err := fsys.Open(path)
	if err != nil {
		return nil, ioError(name, err)
	}
	defer func() {
		if err != nil {
			opened.Close()
		}
	}()
	if info, err = opened.Stat(); err != nil {
		return nil, ioError(name, err)
	}
	f := &file{name: name, size: info.Size(), closer: opened}
	switch opened := opened.(type) {
	case inMemory:
		f.setData(opened.Bytes())
	case io.ReaderAt:
		f.reader = opened
	case io.ReadSeeker:
		f.reader = &seekReader{file: opened}
	default:
		// The buffer grows with what arrives: the size is only a claim.
		var all bytes.Buffer
		if _, err := io.Copy(&all, opened); err != nil {
			return nil, ioError(name, err)
		}
		f.setData(all.Bytes())
	}
	return f, nil
}

// setData says that the whole content of f is data.
func (f *file) setData(data []byte) {
	if data == nil {
		data = []byte{}
	}
	f.data = data
	f.size = int64(len(data))
}

// view returns n bytes from off in place, or nil when they are not in memory.
func (f *file) view(off, n int64) []byte {
	if f.data == nil {
		return nil
	}
	return f.data[off : off+n : off+n]
}

// read fills dst from off.
func (f *file) read(dst []byte, off int64) error {
	if f.data != nil {
		copy(dst, f.view(off, int64(len(dst))))
		return nil
	}
	_, err := io.ReadFull(io.NewSectionReader(f.reader, off, int64(len(dst))), dst)
	if errors.Is(err, io.EOF) {
		// The file was long enough when it was opened.
		err = io.ErrUnexpectedEOF
	}
	return err
}

// bytes returns n bytes from off: a view when they are in memory, else a copy.
func (f *file) bytes(off, n int64) ([]byte, error) {
	if f.data != nil {
		return f.view(off, n), nil
	}
	if int64(int(n)) != n {
		return nil, fmt.Errorf("%d bytes do not fit this machine's memory", n)
	}
	dst := make([]byte, n)
	return dst, f.read(dst, off)
}

func (f *file) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// A seekReader is an io.ReaderAt over a file that can only seek and read.
type seekReader struct {
	mu   sync.Mutex
	file io.ReadSeeker
}

func (r *seekReader) ReadAt(dst []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.file.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	return io.ReadFull(r.file, dst)
}

// ioError names the file in an error of the file system, once.
func ioError(name string, err error) error {
	if p, ok := err.(*fs.PathError); ok {
		err = p.Err
	}
	return fmt.Errorf("weights: %s: %w", name, err)
}
