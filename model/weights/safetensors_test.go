package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// encode returns a safetensors file of a header and data as they are.
func encode(header string, data string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

// one is the header of a U8 tensor called x with shape [4].
const one = `{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`

func TestOpenMalformed(t *testing.T) {
	// tensor returns a header with one tensor called x.
	tensor := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"x":{"dtype":"%s","shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
	}
	length := func(n uint64) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, n), one+"1234"...)
	}
	for _, c := range []struct {
		name   string
		file   []byte
		want   error
		tensor string // that the error must name
	}{
		{"empty file", nil, ErrShort, ""},
		{"half a length", []byte{1, 0, 0, 0}, ErrShort, ""},
		{"length over the limit", length(maxHeader + 1), ErrHeaderLength, ""},
		{"length 2^63", length(1 << 63), ErrHeaderLength, ""},
		{"length 2^64-1", length(1<<64 - 1), ErrHeaderLength, ""},
		{"git lfs pointer", []byte("version https://git-lfs.github.com/spec/v1\n"), ErrHeaderLength, ""},
		{"header past the end", length(uint64(len(one)) + 5), ErrHeaderBounds, ""},
		{"no header", encode("", ""), ErrHeaderStart, ""},
		{"ends in a number", encode(`{"x":{"shape":[4`, ""), ErrJSON, "x"},
		{"leading space", encode(" {}", ""), ErrHeaderStart, ""},
		{"byte order mark", encode("\ufeff{}", ""), ErrHeaderStart, ""},
		{"array", encode("[]", ""), ErrHeaderStart, ""},
		{"invalid UTF-8", encode("{\"\xff\":{}}", ""), ErrUTF8, ""},
		{"nothing but a brace", encode("{", ""), ErrJSON, ""},
		{"text behind", encode("{}x", ""), ErrJSON, ""},
		{"zero bytes behind", encode("{}\x00", ""), ErrJSON, ""},
		{"two objects", encode("{}{}", ""), ErrJSON, ""},
		{"trailing comma", encode(one[:len(one)-1]+",}", "1234"), ErrJSON, ""},
		{"no comma", encode(`{"__metadata__":{}"x":1}`, ""), ErrJSON, ""},
		{"no colon", encode(`{"x"}`, ""), ErrJSON, ""},
		{"name without quotes", encode(`{x:1}`, ""), ErrJSON, ""},
		{"name without end", encode(`{"x`, ""), ErrJSON, ""},
		{"name that ends in a backslash", encode(`{"x\`, ""), ErrJSON, ""},
		{"line feed in a name", encode("{\"a\nb\":1}", ""), ErrJSON, ""},
		{"unknown escape", encode(`{"\x":1}`, ""), ErrJSON, ""},
		{"half a surrogate pair", encode(`{"\ud800":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, "1234"), ErrJSON, ""},
		{"deep nesting", encode(`{"x":`+strings.Repeat("[", 1e6), ""), ErrJSON, "x"},
		{"deep nesting in a shape", encode(`{"x":{"shape":`+strings.Repeat("[", 1e6), ""), ErrJSON, "x"},
		{"tensor is null", encode(`{"x":null}`, ""), ErrJSON, "x"},
		{"tensor is an array", encode(`{"x":["U8",[4],[0,4]]}`, "1234"), ErrJSON, "x"},
		{"dtype is a number", encode(`{"x":{"dtype":1}}`, ""), ErrJSON, "x"},
		{"shape is a number", encode(tensor("U8", "4", "[0,4]"), "1234"), ErrJSON, "x"},
		{"shape is null", encode(tensor("U8", "null", "[0,4]"), "1234"), ErrJSON, "x"},
		{"dimension is a string", encode(tensor("U8", `["4"]`, "[0,4]"), "1234"), ErrJSON, "x"},
		{"dimension is true", encode(tensor("U8", `[true]`, "[0,4]"), "1234"), ErrJSON, "x"},
		{"duplicate tensor", encode(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"x":{}}`, ""), ErrDuplicate, "x"},
		{"duplicate tensor, escaped", encode(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0078":{}}`, ""), ErrDuplicate, "x"},
		{"duplicate field", encode(`{"x":{"dtype":"U8","dtype":"U8"}}`, ""), ErrDuplicate, "x"},
		{"duplicate metadata", encode(`{"__metadata__":{},"__metadata__":{}}`, ""), ErrDuplicate, "__metadata__"},
		{"duplicate key in metadata", encode(`{"__metadata__":{"a":"1","a":"2"}}`, ""), ErrDuplicate, ""},
		{"metadata is a string", encode(`{"__metadata__":"a"}`, ""), ErrMetadata, ""},
		{"metadata is null", encode(`{"__metadata__":null}`, ""), ErrMetadata, ""},
		{"metadata holds a number", encode(`{"__metadata__":{"a":1}}`, ""), ErrMetadata, ""},
		{"metadata holds an object", encode(`{"__metadata__":{"a":{}}}`, ""), ErrMetadata, ""},
		{"key in the wrong case", encode(`{"x":{"Dtype":"U8"}}`, ""), ErrField, "x"},
		{"unknown field", encode(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"strides":[1]}}`, "1234"), ErrField, "x"},
		{"no fields", encode(`{"x":{}}`, ""), ErrField, "x"},
		{"no dtype", encode(`{"x":{"shape":[4],"data_offsets":[0,4]}}`, "1234"), ErrField, "x"},
		{"no shape", encode(`{"x":{"dtype":"U8","data_offsets":[0,1]}}`, "1"), ErrField, "x"},
		{"no offsets", encode(`{"x":{"dtype":"U8","shape":[0]}}`, ""), ErrField, "x"},
		{"one offset", encode(tensor("U8", "[4]", "[0]"), "1234"), ErrField, "x"},
		{"three offsets", encode(tensor("U8", "[4]", "[0,4,8]"), "1234"), ErrField, "x"},
		{"unknown dtype", encode(tensor("F31", "[1]", "[0,4]"), "1234"), ErrDType, "x"},
		{"dtype in the wrong case", encode(tensor("f32", "[1]", "[0,4]"), "1234"), ErrDType, "x"},
		{"dtype without a name", encode(tensor("", "[1]", "[0,4]"), "1234"), ErrDType, "x"},
		{"negative dimension", encode(tensor("U8", "[-4]", "[0,4]"), "1234"), ErrNumber, "x"},
		{"negative dimensions", encode(tensor("U8", "[-2,-2]", "[0,4]"), "1234"), ErrNumber, "x"},
		{"minus zero", encode(tensor("U8", "[-0]", "[0,0]"), ""), ErrNumber, "x"},
		{"fraction", encode(tensor("U8", "[4.0]", "[0,4]"), "1234"), ErrNumber, "x"},
		{"exponent", encode(tensor("U8", "[4e0]", "[0,4]"), "1234"), ErrNumber, "x"},
		{"leading zero", encode(tensor("U8", "[04]", "[0,4]"), "1234"), ErrNumber, "x"},
		{"dimension 2^63", encode(tensor("U8", "[9223372036854775808]", "[0,4]"), "1234"), ErrNumber, "x"},
		{"dimension 2^64", encode(tensor("U8", "[18446744073709551616]", "[0,4]"), "1234"), ErrNumber, "x"},
		{"dimension of a million digits", encode(tensor("U8", "["+strings.Repeat("9", 1e6)+"]", "[0,4]"), "1234"), ErrNumber, "x"},
		{"negative offset", encode(tensor("U8", "[4]", "[-4,0]"), "1234"), ErrNumber, "x"},
		{"offset 2^63", encode(tensor("U8", "[4]", "[0,9223372036854775808]"), "1234"), ErrNumber, "x"},
		{"elements over 2^63", encode(tensor("U8", "[2147483647,2147483647,4]", "[0,4]"), "1234"), ErrOverflow, "x"},
		{"elements wrap to 4", encode(tensor("U8", "[1073741824,1073741824,16,4]", "[0,4]"), "1234"), ErrOverflow, "x"},
		{"bytes over 2^63", encode(tensor("F64", "[1073741824,1073741824,2]", "[0,4]"), "1234"), ErrOverflow, "x"},
		{"over 2^63 before a zero", encode(tensor("U8", "[2147483647,2147483647,4,0]", "[0,0]"), ""), ErrOverflow, "x"},
		{"rank", encode(tensor("U8", "["+strings.Repeat("1,", maxRank)+"1]", "[0,1]"), "1"), ErrLimit, "x"},
		{"too few bytes", encode(tensor("F32", "[2]", "[0,4]"), "1234"), ErrSize, "x"},
		{"too many bytes", encode(tensor("F32", "[]", "[0,8]"), "12345678"), ErrSize, "x"},
		{"scalar of no bytes", encode(tensor("F32", "[]", "[0,0]"), ""), ErrSize, "x"},
		{"size claims 2^62 bytes", encode(tensor("U8", "[4]", "[0,4611686018427387904]"), "1234"), ErrSize, "x"},
		{"half a byte", encode(tensor("F4", "[3]", "[0,2]"), "12"), ErrSize, "x"},
		{"quarter of a byte", encode(tensor("F6_E2M3", "[2]", "[0,2]"), "12"), ErrSize, "x"},
		{"end before begin", encode(tensor("U8", "[4]", "[4,0]"), "1234"), ErrOffsets, "x"},
		{"tensor of 2^62 bytes", encode(tensor("U8", "[1073741824,1073741824,4]", "[0,4611686018427387904]"), "1234"), ErrTruncated, "x"},
		{"one byte short", encode(one, "123"), ErrTruncated, "x"},
		{"begins past the end", encode(tensor("U8", "[4]", "[8,12]"), "1234"), ErrTruncated, "x"},
		{"one byte over", encode(one, "12345"), ErrTrailing, ""},
		{"no tensor, but data", encode("{}", "1"), ErrTrailing, ""},
		{"hole at the beginning", encode(tensor("U8", "[4]", "[1,5]"), "12345"), ErrHole, "x"},
		{"hole", encode(two("[0,2]", "[3,5]"), "12345"), ErrHole, "y"},
		{"overlap", encode(two("[0,2]", "[1,3]"), "123"), ErrOverlap, "y"},
		{"same place", encode(two("[0,2]", "[0,2]"), "12"), ErrOverlap, "y"},
		{"overlap, last first", encode(two("[1,3]", "[0,2]"), "123"), ErrOverlap, "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := OpenBytes("bad.safetensors", c.file)
			require.Nil(t, set)
			require.ErrorIs(t, err, c.want)
			require.ErrorIs(t, err, ErrFormat)
			var e *FormatError
			require.ErrorAs(t, err, &e)
			require.Equal(t, "bad.safetensors", e.File)
			require.Equal(t, c.tensor, e.Tensor)
			require.True(t, strings.HasPrefix(err.Error(), "weights: bad.safetensors: "), err)
			require.Less(t, len(err.Error()), 1000)
			if c.tensor != "" {
				require.Contains(t, err.Error(), fmt.Sprintf("tensor %q: ", c.tensor))
			}
		})
	}
}

// two returns the header of U8 tensors x and y, both of shape [2].
func two(x, y string) string {
	return fmt.Sprintf(`{"x":{"dtype":"U8","shape":[2],"data_offsets":%s},"y":{"dtype":"U8","shape":[2],"data_offsets":%s}}`, x, y)
}

func TestMalformedMessages(t *testing.T) {
	for _, c := range []struct {
		file []byte
		want string
	}{
		{
			encode(two("[0,2]", "[1,3]"), "123"),
			`weights: a.safetensors: tensor "y": data overlaps another tensor's: begins at byte 1, inside the tensor that ends at 2`,
		},
		{
			encode(`{"a\nb":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}`, "1234"),
			`weights: a.safetensors: tensor "a\nb": unknown dtype: "F31"`,
		},
		{
			[]byte("version https://git-lfs.github.com/spec/v1\n"),
			`weights: a.safetensors: header length is over the limit: the file looks like a Git LFS pointer, not what it points to`,
		},
		{
			encode(one, "123"),
			`weights: a.safetensors: tensor "x": data reaches past the end of the file: needs bytes 0 to 4 of 3`,
		},
		{
			encode(`{"x":{"dtype":"U8","shape":[-1],"data_offsets":[0,4]}}`, "123"),
			`weights: a.safetensors: tensor "x": not a whole number from 0 to 2^63-1: "-1"`,
		},
	} {
		_, err := OpenBytes("a.safetensors", c.file)
		require.EqualError(t, err, c.want)
	}
}

// A name may be as long as a header, a message may not.
func TestLongNamesAreCut(t *testing.T) {
	name := strings.Repeat("n", 1e6)
	_, err := OpenBytes("a", encode(`{"`+name+`":{}}`, ""))
	require.ErrorIs(t, err, ErrField)
	require.Less(t, len(err.Error()), 300)
	var e *FormatError
	require.True(t, errors.As(err, &e))
	require.Equal(t, name, e.Tensor)
}

func TestOpenUnusualButValid(t *testing.T) {
	for _, c := range []struct {
		name  string
		file  []byte
		names []string
	}{
		{"no tensors", encode("{}", ""), []string{}},
		{"spaces behind", encode("{}      ", ""), []string{}},
		{"white space everywhere", encode("{ \"x\" :\t{ \"dtype\":\"U8\" ,\n\"shape\": [ 4 ],\r\"data_offsets\":[ 0 , 4 ] } } \n", "1234"), []string{"x"}},
		{"fields in another order", encode(`{"x":{"data_offsets":[0,4],"shape":[2,2],"dtype":"U8"}}`, "1234"), []string{"x"}},
		{"not in the order of offsets", encode(two("[2,4]", "[0,2]"), "1234"), []string{"y", "x"}},
		{"metadata last", encode(`{"x":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"__metadata__":{"a":"b"}}`, "1"), []string{"x"}},
		{"empty tensors share a place", encode(`{"b":{"dtype":"F64","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[3,0],"data_offsets":[0,0]},"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "1"), []string{"a", "b", "x"}},
		{"zero before 2^62", encode(`{"x":{"dtype":"U8","shape":[0,2147483647,2147483647,4],"data_offsets":[0,0]}}`, ""), []string{"x"}},
		{"empty name", encode(`{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "1"), []string{""}},
		{"escaped name", encode(`{"\u00e9\n\ud83d\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "1"), []string{"é\n😀"}},
		{"replacement character", encode(`{"\n�":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "1"), []string{"\n\uFFFD"}},
		{"half bytes", encode(`{"x":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"y":{"dtype":"F6_E3M2","shape":[4],"data_offsets":[2,5]}}`, "12345"), []string{"x", "y"}},
		{"largest rank", encode(`{"x":{"dtype":"U8","shape":[`+strings.Repeat("1,", maxRank-1)+`1],"data_offsets":[0,1]}}`, "1"), []string{"x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := OpenBytes("a", c.file)
			require.NoError(t, err)
			require.Equal(t, c.names, set.Names())
			require.Equal(t, len(c.names), set.Len())
		})
	}
}

func TestDTypes(t *testing.T) {
	bits := map[string]int{
		"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
		"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
		"F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
	}
	for name, bits := range bits {
		d, ok := parseDType(name)
		require.True(t, ok, name)
		require.Equal(t, name, d.String())
		n, err := d.bytes([]int{2, 4})
		require.NoError(t, err)
		require.EqualValues(t, bits, n, name)
	}
	require.Len(t, bits, int(U64))
	require.Equal(t, "DType(0)", DType(0).String())
	require.Equal(t, "DType(200)", DType(200).String())
}
