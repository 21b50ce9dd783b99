// Package ladon is a transformer inference engine for CPUs: no cgo, one static
// binary, assembly kernels for AVX2, AVX-512 and NEON beside a portable fallback,
// and multi-head attention as its heart. This package holds nothing but this
// text; import one of its parts:
//
//   - pipeline: text in, answers out. An Embedder turns sentences into vectors,
//     and ranks them. What most programs import. The package pipeline/minilm
//     carries a model, for programs that want no files beside them.
//   - model: a checkpoint as Hugging Face stores it, and its forward pass on
//     ragged batches. Its packages model/weights and model/tokenizer read
//     safetensors and tokenizer.json, and are of use alone.
//   - mha: multi-head attention alone, for anyone with slices.
//   - kernels: what it is all made of: matrix products on packed weights with
//     fused epilogues, softmax, norms, activations, conversions.
//
// Models are safe for concurrent use and never download anything. Work is spread
// over one process-wide pool of helpers that follows GOMAXPROCS; results do not
// depend on how many there are. The instruction set is chosen at run time;
// LADON_ISA (generic, avx2, avx512, neon; with -vnni or -dotprod subtracted) can
// lower it, and the build tag purego leaves the assembly out.
//
// The command is github.com/ladon-ml/ladon/cmd/ladon.
package ladon
