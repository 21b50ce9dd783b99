package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// bareError is what the system says.
func bareError(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return ""
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, s := range []string{"first", "", "second"} {
		require.NoError(t, Write(path, text(s)))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, s, string(got))
	}

	// What fails midway leaves what was there, and nothing beside it.
	broken := errors.New("broken")
	err := Write(path, func(w io.Writer) error { return errors.Join(text("half")(w), broken) })
	require.ErrorIs(t, err, broken)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "second", string(got))
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 1)

	require.ErrorContains(t, Write(dir, text("")), "directory")
	missing := filepath.Join(dir, "none", "a")
	err = Write(missing, text(""))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, "open "+missing+": "+bareError(err), err.Error(), "the file that was asked for is named")
	if _, err := os.Stat(os.DevNull); err == nil {
		require.NoError(t, Write(os.DevNull, text("gone")))
	}
}
