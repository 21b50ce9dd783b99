//go:build !unix

package guard

import "testing"

const (
	margin   = 256
	sentinel = 0xA5
)

// alloc puts sentinels on both sides, and looks at them when the test ends.
func alloc(t testing.TB, size int, _ bool) []byte {
	t.Helper()
	m := make([]byte, size+2*margin)
	before, after := m[:margin], m[margin+size:]
	for i := range margin {
		before[i], after[i] = sentinel, sentinel
	}
	t.Cleanup(func() {
		for i := range margin {
			if before[i] != sentinel || after[i] != sentinel {
				t.Errorf("guard: a store outside a slice of %d bytes", size)
				return
			}
		}
	})
	return m[margin : margin+size : margin+size]
}
