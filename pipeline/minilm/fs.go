package minilm

import (
	"bytes"
	"io/fs"
	"time"
)

// weightsFile is the one file that package weights must not copy: its bytes are
// used where the linker put them.
const weightsFile = "model.safetensors"

// checkpoint is the folder of the model: small files, and the weights in memory.
type checkpoint struct {
	fs.FS
	weights []byte
}

func (c checkpoint) Open(name string) (fs.File, error) {
	if name == weightsFile {
		return &memoryFile{bytes.NewReader(c.weights), c.weights}, nil
	}
	return c.FS.Open(name)
}

// memoryFile is an open file whose bytes stay in memory when it is closed, which
// package weights recognises by the method Bytes.
type memoryFile struct {
	*bytes.Reader
	data []byte
}

func (f *memoryFile) Bytes() []byte              { return f.data }
func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Stat() (fs.FileInfo, error) { return memoryInfo(len(f.data)), nil }

// memoryInfo is the size of a memoryFile.
type memoryInfo int64

func (i memoryInfo) Name() string       { return weightsFile }
func (i memoryInfo) Size() int64        { return int64(i) }
func (i memoryInfo) Mode() fs.FileMode  { return 0o444 }
func (i memoryInfo) ModTime() time.Time { return time.Time{} }
func (i memoryInfo) IsDir() bool        { return false }
func (i memoryInfo) Sys() any           { return nil }
