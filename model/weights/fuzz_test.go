package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// Whatever the bytes are, opening them gives an error that names the file or a
// Set that keeps its promises, and the same one however the file is read.
func FuzzOpen(f *testing.F) {
	python, err := os.ReadFile("testdata/python.safetensors")
	require.NoError(f, err)
	_, plain := sample(f)
	for _, seed := range [][]byte{
		python, plain, {}, encode("{}", ""), encode("{}   ", ""), encode(one, "1234"), encode(one, "123"),
		encode(two("[0,2]", "[2,4]"), "1234"), encode(two("[0,2]", "[1,3]"), "123"),
		encode(`{"__metadata__":{"a":"b"},"\u00e9":{"dtype":"F64","shape":[9223372036854775807,2],"data_offsets":[0,1e9]}}`, ""),
		[]byte("version https://git-lfs.github.com/spec/v1\n"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.HasPrefix(data, []byte(ggufMagic)) {
			return // FuzzGGUF's
		}
		set, err := OpenBytes("fuzz", data)
		fromFS, errFS := OpenFS(fstest.MapFS{"fuzz": {Data: data}}, "fuzz")
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			require.EqualError(t, errFS, err.Error())
			return
		}
		require.NoError(t, errFS)
		require.Equal(t, set.Names(), fromFS.Names())
		n := binary.LittleEndian.Uint64(data)
		require.True(t, json.Valid(data[8:8+n]))

		// The tensors lie one behind the other and are all of the data.
		at := data[8+n:]
		for _, name := range set.Names() {
			tensor, err := set.Tensor(name)
			require.NoError(t, err)
			require.Equal(t, at[:len(tensor.Data)], tensor.Data)
			at = at[len(tensor.Data):]
			other, err := fromFS.Tensor(name)
			require.NoError(t, err)
			require.Equal(t, tensor, other)
			size, err := tensor.DType.bytes(tensor.Shape)
			require.NoError(t, err)
			require.EqualValues(t, len(tensor.Data), size)
			if floats, err := tensor.Float32s(nil); err == nil {
				require.Len(t, floats, tensor.Elements())
			}
			if ints, err := tensor.Int64s(nil); err == nil {
				require.Len(t, ints, tensor.Elements())
			}
		}
		require.Empty(t, at)

		// Written and read again it is the same, and written again too.
		var first, second bytes.Buffer
		require.NoError(t, Encode(&first, setSources(t, set), set.Metadata()))
		again, err := OpenBytes("again", first.Bytes())
		require.NoError(t, err)
		require.ElementsMatch(t, set.Names(), again.Names())
		for _, name := range set.Names() {
			want, _ := set.Tensor(name)
			got, err := again.Tensor(name)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		require.NoError(t, Encode(&second, setSources(t, again), again.Metadata()))
		require.Equal(t, first.Bytes(), second.Bytes())
	})
}

func FuzzIndex(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"metadata":{"total_size":1},"weight_map":{"a":"b.safetensors","c":"b.safetensors"}}`,
		`{"weight_map":{"a":"../b"}}`, `{"x":[1,{"y":"}"}],"weight_map":{}}`, `{"weight_map":{"\ud800":"a"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		shardOf, err := parseIndex(text)
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &members))
		var standard map[string]string
		require.NoError(t, json.Unmarshal(members["weight_map"], &standard))
		require.Equal(t, standard, shardOf)
		for _, shard := range shardOf {
			require.True(t, plainName(shard))
		}
	})
}
