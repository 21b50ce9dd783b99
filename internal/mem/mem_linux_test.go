//go:build !race

package mem

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// resident is this process's resident memory, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.Atoi(string(bytes.Fields(statm)[1]))
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

func TestUntouchedIsFreeAndFreedIsGone(t *testing.T) {
	const size, slack = 256 << 20, 32 << 20
	before := resident(t)
	b, err := Alloc(size)
	require.NoError(t, err)
	require.Zero(t, address(b.Bytes())%hugePage)
	require.Less(t, resident(t)-before, slack, "untouched")
	data := b.Bytes()[:64<<20]
	for i := 0; i < len(data); i += os.Getpagesize() {
		data[i] = 1
	}
	require.Greater(t, resident(t)-before, len(data)-slack, "touched")
	require.NoError(t, b.Free())
	require.Less(t, resident(t)-before, slack, "freed")
}
