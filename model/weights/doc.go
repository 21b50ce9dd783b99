// Package weights turns checkpoint files into named, validated tensors, and
// tensors into files.
//
// It reads safetensors: one file, a folder with model.safetensors, or a folder
// whose model.safetensors.index.json names several shards; and GGUF: one file,
// a split one, or a folder that holds one of these. A [Set] is what any of them
// opens as, and hides which it was. What GGUF has beside tensors, [Set.Value]
// gives; its dimensions are turned round, so that shapes are row-major.
//
// # Validation
//
// Everything is checked once, while opening: the header's length, encoding and
// syntax, every name, dtype, shape and offset, that the tensors cover the data
// exactly (of GGUF: lie apart in it), and that shards hold what their index says
// and parts of a split file fit each other. No memory is allocated for a size
// that a file merely claims. What is wrong is told by a [*FormatError], which
// names the file and the tensor and wraps the sentinel for that way of being
// wrong. Afterwards a read can fail only because the storage does (the file was
// truncated meanwhile, the disk broke).
//
// # Memory
//
// Files are read, never mapped: a mapped file that somebody truncates kills the
// process with SIGBUS, where a read returns an error, and reads serve every
// [fs.FS] alike. [Set.ReadFloat32s] fills memory that the caller owns, F32
// straight from the file and narrower types, block types among them, through a
// buffer of 128 KiB, so that a model can be loaded holding nothing twice.
// [Set.Tensor] is the simple way for small tensors: it returns a copy. Bytes that
// already lie in memory ([OpenBytes], for embedded files) are not copied:
// [Set.Tensor] gives a view of them, and [Set.View] tells whether it can.
package weights
