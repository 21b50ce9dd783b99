package model

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Files that the gguf package of llama.cpp wrote (testdata/make_gguf.py) give the
// logits of transformers.
func TestGGUFGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/gguf/*.gguf")
	require.NoError(t, err)
	require.Greater(t, len(files), 9)
	made := map[string]string{}
	for _, file := range files {
		made[strings.TrimSuffix(filepath.Base(file), ".gguf")] = file
	}
	forGoldens(t, func(t *testing.T, g golden) {
		file, ok := made[filepath.Base(g.dir)]
		if !ok {
			t.Skip("not written as GGUF")
		}
		m, err := Load(file, WithDType(F32))
		require.NoError(t, err)
		defer m.Close()
		in := readTensors(t, filepath.Join(g.dir, "in.safetensors"))
		want := byName(readTensors(t, filepath.Join(g.dir, "out.safetensors")))
		name := "logits"
		if _, ok := want[name]; !ok {
			name = LastHiddenState
		}
		got, err := m.ForwardTensors(t.Context(), in, name)
		require.NoError(t, err)
		d := distance(t, got[0], want[name])
		require.True(t, d <= g.tolerance(name), "%v is more than %v", d, g.tolerance(name))

		// As a folder it is the architecture that it was.
		dir := filepath.Join(t.TempDir(), "folder")
		_, err = WriteFolder(t.Context(), file, dir, FolderOptions{})
		require.NoError(t, err)
		back, err := Load(dir)
		require.NoError(t, err)
		defer back.Close()
		got, err = back.ForwardTensors(t.Context(), in, name)
		require.NoError(t, err)
		d = distance(t, got[0], want[name])
		require.True(t, d <= 2*g.tolerance(name), "%v is more than %v", d, g.tolerance(name))
	})
}
