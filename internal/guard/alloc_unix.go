//go:build unix

package guard

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// alloc maps a page without permissions, size bytes in whole pages, and another
// such page; the bytes end at the last of these, or begin at the first.
func alloc(t testing.TB, size int, atEnd bool) []byte {
	t.Helper()
	page := os.Getpagesize()
	data := (size + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, data+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("guard: mapping %d bytes: %v", size, err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(m); err != nil {
			t.Errorf("guard: unmapping %d bytes: %v", size, err)
		}
	})
	for _, g := range [][]byte{m[:page], m[page+data:]} {
		if err := unix.Mprotect(g, unix.PROT_NONE); err != nil {
			t.Fatalf("guard: protecting a page: %v", err)
		}
	}
	start := page
	if atEnd {
		start += data - size
	}
	return m[start : start+size : start+size]
}
