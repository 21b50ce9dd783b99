package weights

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

// allocated returns the bytes that f allocates, freed ones included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Sizes that a file claims must not cost memory before they prove true.
func TestClaimedSizesCostNothing(t *testing.T) {
	header99MB := encode(one, "1234")
	copy(header99MB, []byte{0xc0, 0x9e, 0xe6, 0x05}) // 99,000,000
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"header": {header99MB, ErrHeaderBounds},
		"tensor": {encode(`{"x":{"dtype":"U8","shape":[1073741824,1024],"data_offsets":[0,1099511627776]}}`, "1234"), ErrTruncated},
		"digits": {encode(`{"x":{"dtype":"U8","shape":[`+strings.Repeat("9", 1000)+`]}}`, ""), ErrNumber},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{"x.safetensors": {Data: c.file}}
			n := allocated(func() {
				_, err := OpenFS(fsys, "x.safetensors")
				require.ErrorIs(t, err, c.want)
			})
			require.Less(t, n, uint64(1<<20))
		})
	}
}

func TestHeaderOfSpaces(t *testing.T) {
	for name, header := range map[string]string{
		"behind": "{}" + strings.Repeat(" ", 99_000_000),
		"within": "{" + strings.Repeat("\n", 99_000_000) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			file := encode(header, "")
			begin := time.Now()
			n := allocated(func() {
				_, err := OpenBytes("spaces", file)
				require.NoError(t, err)
			})
			require.Less(t, n, uint64(1<<20), "of a header that is in memory already")
			require.Less(t, time.Since(begin), 30*time.Second)
		})
	}
}

// manyTensors returns a file of n tensors of two bytes each.
func manyTensors(n int) []byte {
	var header bytes.Buffer
	header.WriteByte('{')
	for i := range n {
		if i > 0 {
			header.WriteByte(',')
		}
		fmt.Fprintf(&header, `"model.layers.%d.weight":{"dtype":"I8","shape":[1,2],"data_offsets":[%d,%d]}`, i, 2*i, 2*i+2)
	}
	header.WriteByte('}')
	return encode(header.String(), strings.Repeat("1", 2*n))
}

func TestManyTensors(t *testing.T) {
	file := manyTensors(100_000)
	begin := time.Now()
	set, err := OpenBytes("many", file)
	require.NoError(t, err)
	require.Less(t, time.Since(begin), 30*time.Second)
	require.Equal(t, 100_000, set.Len())
	info, ok := set.Lookup("model.layers.99999.weight")
	require.True(t, ok)
	require.Equal(t, []int{1, 2}, info.Shape)
}

func TestTooManyTensors(t *testing.T) {
	_, err := OpenBytes("many", manyTensors(maxTensors+1))
	require.ErrorIs(t, err, ErrLimit)
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("tensors=%d", n), func(b *testing.B) {
			file := manyTensors(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := OpenBytes("many", file); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
