package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// pretend makes s what this CPU has, so that one machine tests the rules of all.
func pretend(t *testing.T, s Set) {
	t.Helper()
	oldDetected, oldActive := detected, active
	detected, active = s, s
	t.Cleanup(func() { detected, active = oldDetected, oldActive })
}

var (
	zen4     = Set{Tier: AVX512, VNNI: true}
	sapphire = Set{Tier: AVX512, VNNI: true, AVXVNNI: true}
	skylakeX = Set{Tier: AVX512}
	alder    = Set{Tier: AVX2, AVXVNNI: true}
	haswell  = Set{Tier: AVX2}
	graviton = Set{Tier: NEON, DotProd: true}
	pi4      = Set{Tier: NEON}
	generic  = Set{}
)

func TestAvailable(t *testing.T) {
	for _, c := range []struct {
		cpu  Set
		want string
	}{
		{zen4, "generic, avx2, avx512-vnni, avx512"},
		{sapphire, "generic, avx2-vnni, avx2, avx512-vnni, avx512"},
		{skylakeX, "generic, avx2, avx512"},
		{alder, "generic, avx2-vnni, avx2"},
		{haswell, "generic, avx2"},
		{graviton, "generic, neon-dotprod, neon"},
		{pi4, "generic, neon"},
		{generic, "generic"},
	} {
		t.Run(c.want, func(t *testing.T) {
			pretend(t, c.cpu)
			require.Equal(t, c.want, list())
			sets := Available()
			require.Equal(t, c.cpu, sets[len(sets)-1])
			for _, s := range sets {
				got, err := Parse(s.String())
				require.NoError(t, err)
				require.Equal(t, s, got)
				require.True(t, detected.contains(s))
				require.Equal(t, c.cpu, func() Set { defer Use(s)(); require.Equal(t, s, Active()); return Detected() }())
				require.Equal(t, c.cpu, Active())
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		cpu  Set
		spec string
		want Set
		err  string
	}{
		{cpu: zen4, spec: "generic", want: generic},
		{cpu: zen4, spec: "avx2", want: haswell},
		{cpu: zen4, spec: "avx512", want: zen4},
		{cpu: zen4, spec: "avx512-vnni", want: skylakeX},
		{cpu: zen4, spec: "avx512-vnni-vnni", want: skylakeX},
		{cpu: zen4, spec: "avx2-vnni", want: haswell},
		{cpu: sapphire, spec: "avx2", want: alder},
		{cpu: sapphire, spec: "avx512-vnni", want: skylakeX},
		{cpu: graviton, spec: "neon-dotprod", want: pi4},
		{cpu: zen4, spec: "neon", err: `"neon" is not available here; this CPU has generic, avx2, avx512-vnni, avx512`},
		{cpu: haswell, spec: "avx512", err: `"avx512" is not available here; this CPU has generic, avx2`},
		{cpu: haswell, spec: "avx512-vnni", err: `"avx512" is not available here; this CPU has generic, avx2`},
		{cpu: pi4, spec: "avx2", err: `"avx2" is not available here; this CPU has generic, neon`},
		{cpu: haswell, spec: "sse9", err: `unknown instruction set "sse9"; this CPU has generic, avx2`},
		{cpu: haswell, spec: "AVX2", err: `unknown instruction set "AVX2"; this CPU has generic, avx2`},
		{cpu: haswell, spec: "", err: `unknown instruction set ""; this CPU has generic, avx2`},
		{cpu: zen4, spec: "avx2-", err: `unknown feature "" in instruction set "avx2-"; this CPU has generic, avx2, avx512-vnni, avx512`},
		{cpu: zen4, spec: "avx2-dotprod", err: `unknown feature "dotprod" in instruction set "avx2-dotprod"; this CPU has generic, avx2, avx512-vnni, avx512`},
		{cpu: zen4, spec: "generic-vnni", err: `unknown feature "vnni" in instruction set "generic-vnni"; this CPU has generic, avx2, avx512-vnni, avx512`},
	} {
		t.Run(c.cpu.String()+"/"+c.spec, func(t *testing.T) {
			pretend(t, c.cpu)
			got, err := Parse(c.spec)
			if c.err != "" {
				require.EqualError(t, err, c.err)
				require.ErrorIs(t, err, ErrISA)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestFromEnv(t *testing.T) {
	pretend(t, zen4)
	s, err := fromEnv("")
	require.NoError(t, err)
	require.Equal(t, zen4, s)
	s, err = fromEnv("avx2")
	require.NoError(t, err)
	require.Equal(t, haswell, s)
	s, err = fromEnv("fast")
	require.EqualError(t, err, `LADON_ISA: unknown instruction set "fast"; this CPU has generic, avx2, avx512-vnni, avx512`)
	require.Equal(t, zen4, s)
}

func TestUseRefusesMore(t *testing.T) {
	pretend(t, haswell)
	for _, s := range []Set{zen4, skylakeX, alder, pi4, {Tier: numTiers}, {VNNI: true}, {Tier: AVX2, DotProd: true}} {
		require.Panics(t, func() { Use(s) })
	}
	require.Equal(t, haswell, Active())
}

func TestRequired(t *testing.T) {
	pretend(t, zen4)
	require.NoError(t, required(""))
	require.NoError(t, required("avx512"))
	require.EqualError(t, required("avx2"), `LADON_REQUIRE_ISA: "avx2" is required, "avx512" is active`)
	require.ErrorIs(t, required("neon"), ErrISA)
	defer Use(skylakeX)()
	require.NoError(t, required("avx512-vnni"))
	require.Error(t, required("avx512"))
}

// TestTier is the proof that a forced run is one: LADON_REQUIRE_ISA=avx2 fails
// it wherever avx2 is not what kernels use.
func TestTier(t *testing.T) {
	require.NoError(t, Err())
	require.NoError(t, Required())
}

// TestAvailableHere prints one line a set; .ci/run forces each of them.
func TestAvailableHere(t *testing.T) {
	for _, s := range Available() {
		t.Logf("isa=%s", s)
	}
}

func TestString(t *testing.T) {
	require.Equal(t, "Tier(200)", Tier(200).String())
	require.Equal(t, []string{"generic", "avx2", "avx512", "neon"}, []string{Generic.String(), AVX2.String(), AVX512.String(), NEON.String()})
}

// A run forced to one set ranges over that set alone.
func TestTested(t *testing.T) {
	pretend(t, zen4)
	old := tested
	defer func() { tested = old }()
	tested = nil
	require.Equal(t, Available(), Tested())
	tested = []Set{haswell}
	require.Equal(t, []Set{haswell}, Tested())
}
