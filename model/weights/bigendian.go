//go:build armbe || arm64be || m68k || mips || mips64 || mips64p32 || ppc || ppc64 || s390 || s390x || sparc || sparc64

package weights

// Weights are stored little-endian and used as they lie, so this does not
// compile here: the name says why.
var _ = ladon_needs_a_little_endian_machine
