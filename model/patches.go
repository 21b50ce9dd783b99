package model

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// Patches are the embeddings of a picture: it is cut into patches, each of which
// a matrix turns into a token (Dosovitskiy et al. 2020). Before them stand Class
// learned tokens, after them Detection ones; positions are learned for all.
type Patches struct {
	Channels      int
	Height, Width int    // of the pictures that the positions are learned for
	Patch         [2]int // height and width of a patch
	Bias          bool

	Class     int // a class token, and DeiT's distillation token
	Detection int // YOLOS: one for each object that may be found

	// Interpolate: pictures of other sizes are taken, and positions interpolated.
	// Otherwise a caller has to ask for that.
	Interpolate bool
	// Between: positions are added again after every layer but the last.
	Between bool
}

// grid is how many patches a picture has, down and across. What is left over at
// its edges is not looked at.
func (p *Patches) grid(height, width int) (rows, cols int) {
	return height / p.Patch[0], width / p.Patch[1]
}

// tokens is how many tokens a picture makes.
func (p *Patches) tokens(height, width int) int {
	rows, cols := p.grid(height, width)
	return p.Class + rows*cols + p.Detection
}

// positions is how many positions are learned.
func (p *Patches) positions() int { return p.tokens(p.Height, p.Width) }

// Pixels are a picture's values, [channels, height, width].
type Pixels struct {
	Data          []float32
	Height, Width int
}

// Pictures makes a batch of pictures, each a sequence of its patches. The model
// must be one that looks at pictures.
func (m *Model) Pictures(list ...Pixels) Batch {
	b := Batch{Pictures: list, CuSeqlens: make([]int32, 1, len(list)+1)}
	p := m.spec.Embeddings.Patches
	if p == nil {
		return b
	}
	for i, pic := range list {
		b.CuSeqlens = append(b.CuSeqlens, b.CuSeqlens[i]+int32(p.tokens(pic.Height, pic.Width)))
	}
	return b
}

// checkPictures tells what does not fit in a batch for a model with patches.
func (m *Model) checkPictures(b *Batch) error {
	p := m.spec.Embeddings.Patches
	if b.IDs != nil || b.Embeds != nil || b.TypeIDs != nil || b.Positions != nil {
		return inputError("the model looks at pictures, and takes nothing else")
	}
	if len(b.CuSeqlens) != len(b.Pictures)+1 || b.CuSeqlens[0] != 0 {
		return inputError("%d pictures make as many sequences, not %d", len(b.Pictures), b.sequences())
	}
	for i, pic := range b.Pictures {
		if pic.Height < p.Patch[0] || pic.Width < p.Patch[1] || pic.Height > maxPositions || pic.Width > maxPositions {
			return inputError("picture %d has %d×%d pixels, but a patch %d×%d", i, pic.Height, pic.Width, p.Patch[0], p.Patch[1])
		}
		if len(pic.Data) != p.Channels*pic.Height*pic.Width {
			return inputError("picture %d has %d values, want %d×%d×%d", i, len(pic.Data), p.Channels, pic.Height, pic.Width)
		}
		if !p.Interpolate && !b.Interpolate && (pic.Height != p.Height || pic.Width != p.Width) {
			return inputError("picture %d has %d×%d pixels, but the model takes %d×%d unless positions are interpolated", i, pic.Height, pic.Width, p.Height, p.Width)
		}
		if n := p.tokens(pic.Height, pic.Width); int(b.CuSeqlens[i+1]-b.CuSeqlens[i]) != n {
			return inputError("picture %d is a sequence of %d tokens, not of %d", i, n, b.CuSeqlens[i+1]-b.CuSeqlens[i])
		}
	}
	return nil
}

// patches holds what a forward pass needs for pictures.
type patches struct {
	w   *workspace
	cut []float32 // [patches, channels·height·width]: the patches of the group, one below the other
	of  []int32   // [pictures+1]: where each one's begin

	// positions for pictures of this grid, made from the learned ones.
	rows, cols int
	positions  [][]float32 // [1 + layers between][tokens, hidden]
}

// embed: x = patch·W + bias + position, and the learned tokens + position.
func (e *patches) embed() {
	m, s := e.w.model, &e.w.stream
	p, hidden := m.spec.Embeddings.Patches, m.spec.Hidden
	values := p.Channels * p.Patch[0] * p.Patch[1]
	e.of = grow(e.of, len(s.pictures)+1)
	e.of[0] = 0
	for i, pic := range s.pictures {
		rows, cols := p.grid(pic.Height, pic.Width)
		e.of[i+1] = e.of[i] + int32(rows*cols)
	}
	e.cut = grow(e.cut, int(e.of[len(s.pictures)])*values)
	e.w.Do(len(s.pictures), e)
	for i, pic := range s.pictures {
		if e.w.Cancelled() {
			return
		}
		e.interpolate(pic)
		positions, from, n := e.positions[0], int(s.cuSeqlens[i]), int(e.of[i+1]-e.of[i])
		x := e.w.x[from*hidden:]
		out := kernels.Out{C: x[p.Class*hidden:], LD: hidden}
		e.w.MatMul(out, e.cut[int(e.of[i])*values:], n, values, m.embed.patches.w,
			kernels.Epilogue{Bias: m.embed.patches.bias, Residual: positions[p.Class*hidden:], LDR: hidden})
		for t := range p.Class + p.Detection {
			at := t
			if t >= p.Class {
				at += n
			}
			kernels.Add(x[at*hidden:(at+1)*hidden], m.embed.learned.f32[t*hidden:(t+1)*hidden], positions[at*hidden:(at+1)*hidden])
		}
	}
}

// Run cuts picture i: a patch's values are those of its first channel, row after
// row, then of the next.
func (e *patches) Run(_, i int) {
	p, pic := e.w.model.spec.Embeddings.Patches, e.w.stream.pictures[i]
	height, width := p.Patch[0], p.Patch[1]
	rows, cols := p.grid(pic.Height, pic.Width)
	dst := e.cut[int(e.of[i])*p.Channels*height*width:]
	for row := range rows {
		for col := range cols {
			for c := range p.Channels {
				for y := range height {
					copy(dst[:width], pic.Data[(c*pic.Height+row*height+y)*pic.Width+col*width:])
					dst = dst[width:]
				}
			}
		}
	}
}

// between adds positions after layer l, where the model has it so.
func (e *patches) between(l int) {
	m, s := e.w.model, &e.w.stream
	if p := m.spec.Embeddings.Patches; p == nil || !p.Between || l+1 == len(m.spec.Layers) {
		return
	}
	e.w.settle()
	for i, pic := range s.pictures {
		e.interpolate(pic)
		x := e.w.x[int(s.cuSeqlens[i])*m.spec.Hidden : int(s.cuSeqlens[i+1])*m.spec.Hidden]
		kernels.Add(x, x, e.positions[1+l])
	}
}

// interpolate makes the positions of a picture's grid.
func (e *patches) interpolate(pic Pixels) {
	m := e.w.model
	p, hidden := m.spec.Embeddings.Patches, m.spec.Hidden
	rows, cols := p.grid(pic.Height, pic.Width)
	if rows == e.rows && cols == e.cols {
		return
	}
	e.rows, e.cols = rows, cols
	e.positions = e.positions[:0]
	learned := p.positions() * hidden
	tables := [][]float32{m.embed.positions.f32}
	for at := 0; at < len(m.embed.between.f32); at += learned {
		tables = append(tables, m.embed.between.f32[at:at+learned])
	}
	fromRows, fromCols := p.grid(p.Height, p.Width)
	if rows == fromRows && cols == fromCols {
		e.positions = tables
		return
	}
	down, across := cubics(fromRows, rows), cubics(fromCols, cols)
	for _, t := range tables {
		grid := t[p.Class*hidden : learned-p.Detection*hidden]
		made := append(make([]float32, 0, p.tokens(pic.Height, pic.Width)*hidden), t[:p.Class*hidden]...)
		sum := make([]float64, hidden)
		for _, d := range down {
			for _, a := range across {
				clear(sum)
				for i, y := range d.from {
					for j, x := range a.from {
						w := d.weight[i] * a.weight[j]
						for k, v := range grid[(y*fromCols+x)*hidden:][:hidden] {
							sum[k] += w * float64(v)
						}
					}
				}
				for _, v := range sum {
					made = append(made, float32(v))
				}
			}
		}
		e.positions = append(e.positions, append(made, t[learned-p.Detection*hidden:]...))
	}
}

// A cubic is a point between others, of which four count.
type cubic struct {
	from   [4]int
	weight [4]float64
}

// cubics spreads n points over size: Keys' cubic convolution with a = -3/4, the
// edges repeated, as torch's bicubic interpolation without antialiasing has it.
func cubics(n, size int) []cubic {
	const a = -0.75
	near := func(x float64) float64 { return ((a+2)*x-(a+3))*x*x + 1 }
	far := func(x float64) float64 { return ((a*x-5*a)*x+8*a)*x - 4*a }
	list := make([]cubic, size)
	for i := range list {
		at := (float64(i)+0.5)*float64(n)/float64(size) - 0.5
		floor := math.Floor(at)
		t := at - floor
		list[i].weight = [4]float64{far(t + 1), near(t), near(1 - t), far(2 - t)}
		for j := range list[i].from {
			list[i].from[j] = min(max(int(floor)+j-1, 0), n-1)
		}
	}
	return list
}
