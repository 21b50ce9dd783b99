// Package model turns a checkpoint into something that runs.
//
// A transformer is described once, as data: a [Spec] says which kind of
// embeddings, attention, feed-forward, norms and heads it has, and one forward
// pass walks that description. An architecture (one small file, arch_bert.go
// for instance) is a table: how a config.json becomes a Spec, and what its
// tensors are called. See docs/adding-an-architecture.md.
//
// Data goes one way: config.json → Spec → parameters (named, checked all at
// once, packed once) → Forward. [Load] does that and gives a [Model], which is
// immutable and safe for concurrent use. Batches are ragged: one stream of
// tokens in which [Batch].CuSeqlens marks the sequences, so nothing is computed
// for padding. Sequences never influence each other, not even in the last bit:
// a text gives the same bits alone, in any batch, and with any number of
// threads.
package model
