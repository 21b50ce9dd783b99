// Package mha is multi-head attention (Vaswani et al. 2017) on slices: tiled, with an online softmax, over ragged
// batches, spread over the processors.
//
// Scores never leave the first caches: a tile of up to 32 queries passes along the keys in blocks of [KeyBlock],
// keeping a running maximum and sum per query (Milakov and Gimelshein 2018; Dao et al. 2022), so memory beyond
// queries, keys, values and output is one tile per worker, whatever the length. Nothing is computed for padding: a
// batch is one stream of tokens and the offsets at which its sequences begin.
//
// Work is split over sequences, heads and tiles of queries, never over a sum, so results are the same bits for any
// number of workers and any place in a batch; and, among AVX2, AVX-512 and NEON, for any instruction set. Where few
// queries meet many keys it is split over keys too, at fixed places.
//
// [Attention.Run] has every variant as a field of [Params]; [Attention.Weights] gives the softmax itself;
// [MultiHeadAttention] is the module with its projections. docs/attention.md explains tiles, layouts and numerics.
package mha
