package mem

import (
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func TestBlock(t *testing.T) {
	for _, n := range []int{1, 3, 4, 63, 64, 65, 4096, 100_000, 2 << 20, 5<<20 + 7} {
		b, err := Alloc(n)
		require.NoError(t, err)
		require.Len(t, b.Bytes(), n)
		require.Equal(t, n, cap(b.Bytes()))
		require.Len(t, b.Int8s(), n)
		require.Len(t, b.Float32s(), n/4)
		require.Zero(t, address(b.Bytes())%Align)
		for i, v := range b.Bytes() {
			if v != 0 {
				t.Fatalf("byte %d of %d is %d", i, n, v)
			}
			b.Bytes()[i] = byte(i) | 1
		}
		require.NoError(t, b.Free())
		require.Empty(t, b.Bytes())
		require.Empty(t, b.Float32s())
		require.NoError(t, b.Free(), "again")
	}
}

func TestBadSizes(t *testing.T) {
	for _, n := range []int{-1, math.MinInt, math.MaxInt, math.MaxInt - 100} {
		_, err := Alloc(n)
		require.ErrorContains(t, err, "mem: ")
		var a Arena
		_, err = a.Bytes(n)
		require.ErrorContains(t, err, "mem: ")
		_, err = a.Float32s(n)
		require.ErrorContains(t, err, "mem: ")
		require.NoError(t, a.Free())
	}
	b, err := Alloc(0)
	require.NoError(t, err)
	require.Empty(t, b.Bytes())
	require.NoError(t, b.Free())
}

func TestArena(t *testing.T) {
	var a Arena
	type piece struct {
		b    []byte
		mark byte
	}
	var pieces []piece
	for i := range 200 {
		n := i * 997 % 100_000
		if i == 100 {
			n = arenaBlock + 1
		}
		b, err := a.Bytes(n)
		require.NoError(t, err)
		require.Len(t, b, n)
		require.Equal(t, n, cap(b))
		if n > 0 {
			require.Zero(t, address(b)%Align)
		}
		for j := range b {
			if b[j] != 0 {
				t.Fatalf("piece %d is not zero", i)
			}
			b[j] = byte(i)
		}
		pieces = append(pieces, piece{b, byte(i)})
	}
	for _, p := range pieces {
		for _, v := range p.b {
			if v != p.mark {
				t.Fatal("pieces overlap")
			}
		}
	}
	f, err := a.Float32s(1001)
	require.NoError(t, err)
	require.Len(t, f, 1001)
	i8, err := a.Int8s(33)
	require.NoError(t, err)
	require.Len(t, i8, 33)
	require.NoError(t, a.Free())
	require.Empty(t, a.blocks)
}
