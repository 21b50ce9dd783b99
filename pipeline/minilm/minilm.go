// Package minilm holds the sentence encoder all-MiniLM-L6-v2, so that a program
// that imports it embeds text without a file beside it. It adds 23 MB to that
// program, and nothing to one that does not import it.
//
// The weights are int8 with a float32 scale for every row, packed as the
// kernels read them, and are used in place. How they were made, and how far they
// are from the published ones, is in files/README.md; the model is the work of
// the sentence-transformers project, under the Apache License 2.0.
package minilm

import (
	"embed"

	"github.com/ladon-ml/ladon/pipeline"
)

// Name is what the model is published as.
const Name = "all-MiniLM-L6-v2"

//go:embed files
var files embed.FS

// Open loads the model. Its vectors have 384 components and length 1; texts
// keep their first 256 tokens.
func Open(opts ...pipeline.Option) (*pipeline.Model, error) {
	return pipeline.OpenFS(files, "files", opts...)
}
