//go:build !race

package mem

import "syscall"

// advise asks for huge pages: a product that streams weights otherwise spends
// its time in page walks. Where the kernel has none the answer is an error that
// changes nothing.
func advise(b []byte) { _ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) }
