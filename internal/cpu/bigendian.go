//go:build armbe || arm64be || mips || mips64 || mips64p32 || ppc || ppc64 || s390 || s390x || sparc || sparc64

package cpu

// Weights are views of little-endian bytes, so a big-endian build would compute
// nonsense. The undefined name is the message.
var _ = ladon_needs_a_little_endian_CPU
