// Package neon holds generated assembly and its stubs, nothing else. Its functions check nothing: package kernels does.
package neon
