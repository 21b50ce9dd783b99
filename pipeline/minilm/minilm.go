// Package minilm carries the sentence encoder all-MiniLM-L6-v2, so that a
// program that imports it turns text into vectors without a file beside it. It
// adds 24 MB to that program, and nothing to one that does not import it.
//
// The weights are int8 with a float32 scale for every row, packed as the kernels
// read them, and are used where they lie. README.md in the package's folder says
// how they are made and how close they are to the published ones. The model is
// the work of the sentence-transformers project, under the Apache License 2.0.
package minilm

import (
	"embed"
	"io/fs"

	"github.com/ladon-ml/ladon/pipeline"
)

// Name is what the model is published as.
const Name = "all-MiniLM-L6-v2"

var (
	//go:embed files
	files embed.FS
	//go:embed model.safetensors
	weights []byte
)

// Open loads the model. Its vectors have 384 components and length 1; texts keep
// their first 256 tokens.
func Open(opts ...pipeline.Option) (*pipeline.Model, error) {
	small, err := fs.Sub(files, "files")
	if err != nil {
		return nil, err
	}
	return pipeline.OpenFS(checkpoint{small, weights}, ".", opts...)
}
