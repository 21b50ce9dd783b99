// Package cpu says which instructions the kernels may use.
//
// A [Set] is a tier (generic < avx2 < avx512, generic < neon) and the features
// beside it that form no chain: the two encodings of VNNI on x86, dot products
// on arm64. [Detected] is what the processor and the operating system offer;
// [Active] is that, lowered by the environment variable LADON_ISA. Building
// with the tag purego, or for any other architecture, leaves generic alone.
//
// LADON_ISA is a tier with any number of features subtracted, such as avx2,
// avx512-vnni or neon-dotprod. It can only lower what is used. It is read once,
// at start; a bad value changes nothing and is reported by [Err], so that the
// command and the library can refuse it in their own way.
package cpu

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Tier is a chain of instruction sets, each including those below it on the
// same architecture.
type Tier uint8

const (
	Generic Tier = iota // portable Go
	AVX2                // AVX2, FMA and F16C
	AVX512              // AVX-512 F, BW, DQ and VL, and all of AVX2
	NEON                // arm64 Advanced SIMD
	numTiers
)

var tierNames = [numTiers]string{"generic", "avx2", "avx512", "neon"}

func (t Tier) String() string {
	if t < numTiers {
		return tierNames[t]
	}
	return fmt.Sprintf("Tier(%d)", uint8(t))
}

// Set is what the kernels may use: a tier, and the features beside it.
// Sets compare with ==.
type Set struct {
	Tier    Tier
	VNNI    bool // AVX512_VNNI: VPDPBUSD in its EVEX encoding; in the avx512 tier only
	AVXVNNI bool // AVX_VNNI: VPDPBUSD in its VEX encoding; in the avx2 and avx512 tiers
	DotProd bool // arm64 FEAT_DotProd: SDOT and UDOT; in the neon tier only
}

// String names the tier, then what was subtracted from the features that this
// CPU has beside it, in the form that [Parse] reads: "avx512", "avx512-vnni".
func (s Set) String() string {
	name := s.Tier.String()
	full := detected.lower(s.Tier)
	if (full.VNNI || full.AVXVNNI) && !s.VNNI && !s.AVXVNNI {
		name += "-vnni"
	}
	if full.DotProd && !s.DotProd {
		name += "-dotprod"
	}
	return name
}

// lower is s with its tier lowered to t, and the features that need more than
// t taken away.
func (s Set) lower(t Tier) Set {
	return Set{
		Tier:    t,
		VNNI:    s.VNNI && t == AVX512,
		AVXVNNI: s.AVXVNNI && (t == AVX2 || t == AVX512),
		DotProd: s.DotProd && t == NEON,
	}
}

// has tells whether tier t is s's own or below it.
func (s Set) has(t Tier) bool {
	switch t {
	case Generic, s.Tier:
		return true
	case AVX2:
		return s.Tier == AVX512
	}
	return false
}

// contains tells whether everything in o is in s too.
func (s Set) contains(o Set) bool {
	most := s.lower(o.Tier)
	return s.has(o.Tier) && o.Tier < numTiers &&
		(most.VNNI || !o.VNNI) && (most.AVXVNNI || !o.AVXVNNI) && (most.DotProd || !o.DotProd)
}

// ErrISA is what every error of [Parse], [Err] and [Required] wraps.
var ErrISA = errors.New("cpu: bad instruction set")

// isaError is a message of its own that wraps ErrISA.
type isaError string

func (e isaError) Error() string { return string(e) }
func (e isaError) Unwrap() error { return ErrISA }

var (
	detected = detect()
	active   Set
	envErr   error
	tested   []Set // by Tested; nil for all
)

func init() {
	spec := os.Getenv("LADON_ISA")
	if active, envErr = fromEnv(spec); spec != "" && envErr == nil {
		tested = []Set{active}
	}
}

// fromEnv is the set that a value of LADON_ISA asks for; with an error, the
// whole of what was detected.
func fromEnv(spec string) (Set, error) {
	if spec == "" {
		return detected, nil
	}
	s, err := Parse(spec)
	if err != nil {
		return detected, isaError("LADON_ISA: " + err.Error())
	}
	return s, nil
}

// Detected is what this CPU and its operating system offer to this build.
func Detected() Set { return detected }

// Active is what kernels use: Detected, lowered by LADON_ISA or by [Use].
func Active() Set { return active }

// Err is not nil if LADON_ISA names something unknown or absent; it says what
// this CPU has, and Active is then Detected.
func Err() error { return envErr }

// Parse reads a specification in the form of LADON_ISA: a tier that this CPU
// has, then "-vnni" (both encodings) or "-dotprod" for features not to use.
// Subtracting a feature of the tier's architecture that this CPU lacks is no
// error, so one specification serves many machines.
func Parse(spec string) (Set, error) {
	name, rest, subtracts := strings.Cut(spec, "-")
	tier := numTiers
	for t, n := range tierNames {
		if n == name {
			tier = Tier(t)
		}
	}
	if tier == numTiers {
		return Set{}, isaError(fmt.Sprintf("unknown instruction set %q; this CPU has %s", spec, list()))
	}
	if !detected.has(tier) {
		return Set{}, isaError(fmt.Sprintf("%q is not available here; this CPU has %s", name, list()))
	}
	s := detected.lower(tier)
	for subtracts {
		name, rest, subtracts = strings.Cut(rest, "-")
		switch {
		case name == "vnni" && (tier == AVX2 || tier == AVX512):
			s.VNNI, s.AVXVNNI = false, false
		case name == "dotprod" && tier == NEON:
			s.DotProd = false
		default:
			return Set{}, isaError(fmt.Sprintf("unknown feature %q in instruction set %q; this CPU has %s", name, spec, list()))
		}
	}
	return s, nil
}

// list names the available sets, for messages.
func list() string {
	var names []string
	for _, s := range Available() {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}

// Available is every distinct set worth testing on this CPU, lowest first:
// each tier without and with the features beside it.
func Available() []Set {
	var sets []Set
	for t := range numTiers {
		if !detected.has(t) {
			continue
		}
		if full := detected.lower(t); full != (Set{Tier: t}) {
			sets = append(sets, Set{Tier: t}, full)
		} else {
			sets = append(sets, full)
		}
	}
	return sets
}

// Tested is what a test ranges over: Available, or only the set that LADON_ISA
// names, so that a run for each costs what the run for all does.
func Tested() []Set {
	if tested != nil {
		return tested
	}
	return Available()
}

// Use makes Active return s until restore is called. It is for tests, and must
// not run beside kernels. It panics if s exceeds what this CPU has.
func Use(s Set) (restore func()) {
	if !detected.contains(s) {
		panic("cpu: Use of an instruction set that this CPU lacks")
	}
	old := active
	active = s
	return func() { active = old }
}

// Required is an error if LADON_REQUIRE_ISA is set and Active is not exactly
// what it names. A test in every package with kernels beneath it reports it, so
// that a run forced to one tier cannot pass on another.
func Required() error { return required(os.Getenv("LADON_REQUIRE_ISA")) }

func required(spec string) error {
	if spec == "" {
		return nil
	}
	want, err := Parse(spec)
	if err != nil {
		return isaError("LADON_REQUIRE_ISA: " + err.Error())
	}
	if active != want {
		return isaError(fmt.Sprintf("LADON_REQUIRE_ISA: %q is required, %q is active", want, active))
	}
	return nil
}
