package model

// The form in which Quantize writes a model, as a safetensors file.
//
// Its tensors are the model's parameters under this package's own names
// ("layers.0.qkv.weight"), so that loading copies nothing and reads no
// architecture's names:
//
//   - a matrix is "NAME" in int8, [ceil(n/16), ceil(k/4), 16, 4]: packed as
//     kernels.Matrix wants it, padded with zeros, and "NAME.scale" in float32,
//     [n], which each of its rows is to be multiplied by;
//   - the word embeddings are such a matrix where a head multiplies by them,
//     otherwise int8 rows, [vocab, hidden], and their scales;
//   - everything else is float32.
//
// The metadata names the form and its version.
const (
	metaFormat  = "format"
	metaVersion = "version"
	ownFormat   = "ladon-int8"
	ownVersion  = "1"

	ownScale     = ".scale"
	ownHead      = "heads." // before the names of the heads' parameters
	ownPositions = "embeddings.positions"
	ownOther     = "other." // before the names of a second model's
)

// packedShape is the shape of a packed int8 matrix in a file.
func packedShape(n, k int) []int { return []int{(n + 15) / 16, (k + 3) / 4, 16, 4} }

// ownSources makes a parameter come from a file of our own form.
func (c *checkpoint) ownSources(p *param) {
	shape := []int{p.rows, p.cols}
	if p.kind == vector {
		shape = shape[1:]
	}
	p.from = []source{{names: []string{p.name}, shape: shape}}
	if !p.narrow {
		return
	}
	if p.kind == rows {
		// The embeddings of a model whose head is left out may be packed all the same.
		if info, ok := c.set.Lookup(p.name); ok && len(info.Shape) == 4 {
			p.kind, p.matrix = both, &p.table.packed
		}
	}
	if p.kind != rows {
		p.from[0].shape = packedShape(p.rows, p.cols)
	}
	p.from[0].int8 = true
	p.from = append(p.from, source{names: []string{p.name + ownScale}, shape: []int{p.rows}})
}
