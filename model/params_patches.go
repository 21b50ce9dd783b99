package model

// stored is a tensor that is read as rows, whatever its shape: its name and the
// sizes that its last one, the width, stands behind.
type stored struct {
	Name  string
	Shape []int
}

// source takes n rows of a stored tensor.
func (s stored) source(prefix string, n, width int) source {
	return source{names: []string{prefix + s.Name}, shape: append(s.Shape[:len(s.Shape):len(s.Shape)], width), rows: n}
}

func (p *paramList) patches(e *embeddings) {
	s, hidden := p.spec.Embeddings.Patches, p.spec.Hidden
	values := s.Channels * s.Patch[0] * s.Patch[1]
	p.add(param{name: "embeddings.patches.weight", kind: matrix, rows: hidden, cols: values, matrix: &e.patches.w,
		from: []source{{names: []string{p.prefix + p.Patches + ".weight"}, shape: []int{hidden, s.Channels, s.Patch[0], s.Patch[1]}}}})
	if s.Bias {
		p.vector("embeddings.patches.bias", &e.patches.bias, hidden, p.prefix+p.Patches+".bias")
	}
	learned := param{name: "embeddings.learned", kind: rows, rows: s.Class + s.Detection, cols: hidden, table: &e.learned}
	for i, t := range p.LearnedTokens {
		n := 1
		if i >= s.Class {
			n = s.Detection
		}
		learned.from = append(learned.from, t.source(p.prefix, n, hidden))
	}
	p.add(learned)
	n := s.positions()
	p.add(param{name: "embeddings.positions", kind: rows, rows: n, cols: hidden, table: &e.positions,
		from: []source{p.PatchPositions.source(p.prefix, n, hidden)}})
	if between := len(p.spec.Layers) - 1; s.Between && between > 0 {
		p.add(param{name: "embeddings.between", kind: rows, rows: between * n, cols: hidden, table: &e.between,
			from: []source{p.PositionsBetween.source(p.prefix, between*n, hidden)}})
	}
}
