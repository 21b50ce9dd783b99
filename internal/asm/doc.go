// Package asm holds the generated assembly of every kernel, a package below it for each instruction set. Nothing in
// there is written by hand: internal/gen describes it, and its tests say that what is committed is what it writes.
//
// Functions take pointers and lengths and check nothing; strides are bytes. The comment on each stub is its contract.
// They never read or write outside what the contract names. Only package kernels calls them.
package asm

//go:generate go -C ../gen run .
