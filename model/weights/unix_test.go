//go:build unix

package weights

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Opening a pipe to which nobody writes would wait forever.
func TestOpenPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, singleFile)
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Skip("no named pipes here:", err)
	}
	for _, path := range []string{path, dir} {
		_, err := Open(path)
		require.ErrorContains(t, err, "model.safetensors: not a regular file")
	}
}
