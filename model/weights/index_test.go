package weights

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// shard returns a file that holds one byte under each of these names.
func shard(t testing.TB, names ...string) []byte {
	var s []Source
	for _, name := range names {
		s = append(s, Of(name, []int{1}, []uint8{name[0]}).Source())
	}
	var b bytes.Buffer
	require.NoError(t, Encode(&b, s, map[string]string{"format": "pt", "first": names[0]}))
	return b.Bytes()
}

func index(t testing.TB, shardOf map[string]string) []byte {
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 3}, "weight_map": shardOf})
	require.NoError(t, err)
	return text
}

const (
	shard1 = "model-00001-of-00002.safetensors"
	shard2 = "model-00002-of-00002.safetensors"
)

func sharded(t testing.TB) fstest.MapFS {
	return fstest.MapFS{
		"model.safetensors.index.json": {Data: index(t, map[string]string{"b": shard1, "a": shard2, "c": shard2})},
		shard1:                         {Data: shard(t, "b")},
		shard2:                         {Data: shard(t, "c", "a")},
	}
}

func TestSharded(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, sharded(t)))
	indexPath := path.Join(dir, "model.safetensors.index.json")
	for _, opened := range []string{dir, indexPath} {
		set, err := Open(opened)
		require.NoError(t, err)
		require.Equal(t, indexPath, set.String())
		require.Equal(t, []string{"b", "a", "c"}, set.Names())
		require.Equal(t, map[string]string{"format": "pt", "first": "b"}, set.Metadata())
		for _, name := range set.Names() {
			tensor, err := set.Tensor(name)
			require.NoError(t, err)
			require.Equal(t, name, string(tensor.Data))
		}
		info, _ := set.Lookup("c")
		require.Equal(t, path.Join(dir, shard2), info.File)
		require.NoError(t, set.Close())
	}
	set, err := OpenFS(sharded(t), ".")
	require.NoError(t, err)
	require.Equal(t, []string{"b", "a", "c"}, set.Names())

	// A single file wins over an index, as in transformers.
	require.NoError(t, os.WriteFile(filepath.Join(dir, singleFile), shard(t, "single"), 0o666))
	set, err = Open(dir)
	require.NoError(t, err)
	defer set.Close()
	require.Equal(t, []string{"single"}, set.Names())
}

func TestShardedMalformed(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(fstest.MapFS)
		want     error
		file     string // that the error must name
		contains []string
	}{
		{"shard missing", func(m fstest.MapFS) { delete(m, shard1) }, ErrShardMissing, "index", []string{shard1}},
		{"both shards missing", func(m fstest.MapFS) { delete(m, shard1); delete(m, shard2) }, fs.ErrNotExist, "index", []string{shard1, shard2}},
		{"tensor missing", func(m fstest.MapFS) { m[shard2] = &fstest.MapFile{Data: shard(t, "c")} }, ErrIndex, "index", []string{`not in the shard that the index names: "a"`}},
		{"tensor extra", func(m fstest.MapFS) { m[shard1] = &fstest.MapFile{Data: shard(t, "b", "d", "e")} }, ErrIndex, "index", []string{`does not name for it: "d", "e"`}},
		{"tensor elsewhere", func(m fstest.MapFS) {
			m[shard1] = &fstest.MapFile{Data: shard(t, "b", "a")}
			m[shard2] = &fstest.MapFile{Data: shard(t, "c")}
		}, ErrIndex, "index", []string{`index names: "a";`, `for it: "a"`}},
		{"tensor twice", func(m fstest.MapFS) { m[shard1] = &fstest.MapFile{Data: shard(t, "b", "a")} }, ErrDuplicate, shard2, []string{`"a"`, shard1}},
		{"malformed shard", func(m fstest.MapFS) { m[shard2] = &fstest.MapFile{Data: []byte("x")} }, ErrShort, shard2, nil},
		{"shard is a folder", func(m fstest.MapFS) { delete(m, shard1); m[shard1+"/x"] = &fstest.MapFile{} }, nil, "", []string{shard1 + ": not a regular file"}},
		{"many tensors missing", func(m fstest.MapFS) {
			shardOf := map[string]string{"b": shard1, "a": shard2, "c": shard2}
			for i := range 100 {
				shardOf[fmt.Sprintf("t%02d", i)] = shard1
			}
			m["model.safetensors.index.json"] = &fstest.MapFile{Data: index(t, shardOf)}
		}, ErrIndex, "index", []string{`"t00", "t01"`, `"t07" and 92 more`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := sharded(t)
			c.change(fsys)
			set, err := OpenFS(fsys, ".")
			require.Error(t, err)
			require.Nil(t, set)
			for _, text := range c.contains {
				require.Contains(t, err.Error(), text)
			}
			if c.want == nil {
				return
			}
			require.ErrorIs(t, err, c.want)
			var e *FormatError
			require.ErrorAs(t, err, &e)
			if c.file == "index" {
				c.file = "model.safetensors.index.json"
			}
			require.Equal(t, c.file, e.File)
		})
	}
}

func TestIndexMalformed(t *testing.T) {
	names := func(names ...string) string {
		var b strings.Builder
		for i, name := range names {
			fmt.Fprintf(&b, `,"t%d":%q`, i, name)
		}
		return `{"weight_map":{` + strings.TrimPrefix(b.String(), ",") + `}}`
	}
	for _, c := range []struct {
		name, index string
		want        error
	}{
		{"empty", "", ErrJSON},
		{"array", "[]", ErrJSON},
		{"text behind", `{"weight_map":{}}x`, ErrJSON},
		{"cut", `{"weight_map":{`, ErrJSON},
		{"invalid UTF-8", "{\"weight_map\":{\"\xff\":\"a\"}}", ErrUTF8},
		{"no weight_map", `{"metadata":{}}`, ErrField},
		{"weight_map in the wrong case", `{"Weight_Map":{}}`, ErrField},
		{"weight_map is an array", `{"weight_map":[]}`, ErrJSON},
		{"weight_map is null", `{"weight_map":null}`, ErrJSON},
		{"two weight_maps", `{"weight_map":{},"weight_map":{}}`, ErrDuplicate},
		{"duplicate tensor", `{"weight_map":{"a":"x","a":"x"}}`, ErrDuplicate},
		{"shard is a number", `{"weight_map":{"a":1}}`, ErrJSON},
		{"malformed metadata", `{"metadata":{"a":},"weight_map":{}}`, ErrJSON},
		{"deep metadata", `{"metadata":` + strings.Repeat("[", 1e6), ErrJSON},
		{"path", names("a/b.safetensors"), ErrShardName},
		{"path upwards", names("../b.safetensors"), ErrShardName},
		{"absolute path", names("/etc/passwd"), ErrShardName},
		{"Windows path", names(`..\b.safetensors`), ErrShardName},
		{"Windows drive", names(`C:b.safetensors`), ErrShardName},
		{"no name", names(""), ErrShardName},
		{"folder", names("."), ErrShardName},
		{"folder above", names(".."), ErrShardName},
		{"zero byte", `{"weight_map":{"a":"b\u0000"}}`, ErrShardName},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := fstest.MapFS{"m/model.safetensors.index.json": {Data: []byte(c.index)}}
			_, err := OpenFS(fsys, "m")
			require.ErrorIs(t, err, c.want)
			require.ErrorIs(t, err, ErrFormat)
			require.True(t, strings.HasPrefix(err.Error(), "weights: m/model.safetensors.index.json: "), err)
			require.Less(t, len(err.Error()), 1000)
		})
	}
}

func TestTooManyShards(t *testing.T) {
	shardOf := make(map[string]string)
	for i := range maxShards + 1 {
		shardOf[fmt.Sprint(i)] = fmt.Sprintf("%d.safetensors", i)
	}
	_, err := OpenFS(fstest.MapFS{"model.safetensors.index.json": {Data: index(t, shardOf)}}, ".")
	require.ErrorIs(t, err, ErrLimit)
}

func TestIndexTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors.index.json")
	require.NoError(t, os.WriteFile(path, nil, 0o666))
	require.NoError(t, os.Truncate(path, maxHeader+1))
	n := allocated(func() {
		_, err := Open(path)
		require.ErrorIs(t, err, ErrLimit)
	})
	require.Less(t, n, uint64(1<<20))
}

func TestIndexIgnoresOtherMembers(t *testing.T) {
	text := ` { "metadata" : {"total_size": 1.5e9, "x": [null, true, {"y": "}"}]}, "weight_map" : {"a" : "b"} , "z":-1 , "n":null}` + "\n"
	shardOf, err := parseIndex([]byte(text))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "b"}, shardOf)
}
