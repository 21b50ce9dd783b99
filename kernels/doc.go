// Package kernels computes on slices of float32: element-wise functions, rows
// of softmax and normalisation, conversions between number formats, and the
// product of activations with packed weights, which is where a transformer
// spends its time.
//
// # Contracts
//
// The doc comment of each function is the Go loop that it equals, up to the
// rounding that docs/numerics.md states. Every function has several
// implementations: assembly for AVX2, AVX-512 and NEON, chosen at run time by
// internal/cpu, and a portable twin in Go, which is what builds with the tag
// purego and all other architectures run. All obey the same contract and pass
// the same tests.
//
// # Errors
//
// A wrong length or shape is a mistake of the caller and panics with a constant
// string. Nothing is written before the check. Values never panic: a NaN gives
// NaN wherever it takes part, unless the comment says otherwise.
//
// # Aliasing
//
// Where dst and a source have the same element type they may be the same
// slice, exactly; otherwise slices must not overlap. Sources are not written.
//
// # Denormals
//
// Denormal inputs are used as they are, and denormal results of additions and
// products are kept. Only exp, and what is made of it, gives 0 where its result
// would be below the smallest normal number.
package kernels
