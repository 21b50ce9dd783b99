package model

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// toDistances is what a layer has learned for Distances.
type toDistances struct {
	keys                           linear    // [heads·headDim, hidden], of sinusoids
	keyBias, distBias, segmentBias []float32 // [heads·headDim]: are added to queries
	segments                       []float32 // [2, heads·headDim]: the same, another
}

// distances adds the parameters of layer i for Distances.
func (p *paramList) distances(d *toDistances, i int, ours, theirs string) {
	if p.spec.Distances == nil {
		return
	}
	a := &p.spec.Layers[i].Attention
	n := a.Heads * a.HeadDim
	p.linear(ours+"distances", &d.keys, p.spec.Hidden, false, part{name: theirs + p.Distance, rows: n, outDim: a.HeadDim})
	add := func(name, from string, to *[]float32, shape ...int) {
		rows := 1
		for _, n := range shape {
			rows *= n
		}
		p.add(param{name: ours + name, rows: 1, cols: rows, vector: to, from: []source{{names: []string{theirs + from}, shape: shape, rows: rows}}})
	}
	add("key_bias", p.KeyBias, &d.keyBias, a.Heads, a.HeadDim)
	add("distance_bias", p.DistanceBias, &d.distBias, a.Heads, a.HeadDim)
	add("segment_bias", p.SegmentBias, &d.segmentBias, a.Heads, a.HeadDim)
	add("segments", p.Segments, &d.segments, 2, a.Heads, a.HeadDim)
}

// keep adds to tensors what remains of the biases and segments of these heads,
// whose elements are those.
func (d *toDistances) keep(tensors map[string]*kept, params []param, heads, elements []int) {
	for i := range params {
		switch p := &params[i]; p.vector {
		case &d.keyBias, &d.distBias, &d.segmentBias:
			tensors[p.from[0].names[0]] = &kept{heads, nil}
		case &d.segments:
			tensors[p.from[0].names[0]] = &kept{nil, elements}
		}
	}
}

// keptDistances is up to how many keys a model keeps what its layers make of the
// distances: they depend on no input and take a sixth of the time of such a pass.
// Those of more keys are made in each pass that has them, since they would take as
// much memory as the weights.
const keptDistances = 512

// distanceKeys are what the layers of a model have made of distances.
type distanceKeys struct {
	making sync.Mutex
	kept   atomic.Pointer[reach]
}

// reach is the keys of all distances among so many keys, by layer.
type reach struct {
	keys   int
	layers []*mha.DistanceKeys
}

// distant is a workspace's part of Distances.
type distant struct {
	relative mha.Relative
	backward []bool
	reach    reach     // of this workspace alone, for many keys
	waves    []float32 // [2·keys-1, hidden]: the sinusoids of reach
	made     []float32 // [2·keys-1, heads·headDim]
}

// keepDistances makes what the passes of a batch will share. It works on w's pass.
func (w *workspace) keepDistances(b *Batch) {
	m := w.model
	if m.spec.Distances == nil {
		return
	}
	longest := 0
	for s := range b.sequences() {
		longest = max(longest, int(b.CuSeqlens[s+1]-b.CuSeqlens[s]))
	}
	longest += b.remembered(m.spec.Hidden)
	d := &m.distances
	if longest == 0 || longest > keptDistances || m.reaches(longest) {
		return
	}
	d.making.Lock()
	defer d.making.Unlock()
	if m.reaches(longest) {
		return
	}
	keys := 64
	for keys < longest {
		keys *= 2
	}
	r := &reach{keys: keys, layers: make([]*mha.DistanceKeys, len(m.layers))}
	w.distant.wave(m, keys)
	for l := range r.layers {
		if from := m.spec.params(l); from != l {
			r.layers[l] = r.layers[from]
			continue
		}
		r.layers[l] = new(mha.DistanceKeys)
		w.makeDistances(l, keys, r.layers[l])
	}
	w.distant.waves, w.distant.made = nil, nil
	if !w.Cancelled() {
		d.kept.Store(r)
	}
}

// reaches tells whether the distances among so many keys are kept.
func (m *Model) reaches(keys int) bool {
	r := m.distances.kept.Load()
	return r != nil && r.keys >= keys
}

// wave computes the sinusoids of the distances among so many keys, from the first
// of them to the last of them: sines in the first half, then cosines, of how far
// the key lies before the query. Angles are float32, as in the models' training.
func (d *distant) wave(m *Model, keys int) {
	width := m.spec.Hidden
	half := width / 2
	d.waves = grow(d.waves, (2*keys-1)*width)
	for i := range half {
		rate := 1 / float32(math.Pow(10000, float64(float32(2*i)/float32(width))))
		for before := range keys {
			at := before
			if clamp := m.spec.Distances.Clamp; clamp > 0 {
				at = min(at, clamp)
			}
			sin, cos := math.Sincos(float64(float32(at) * rate))
			past, future := d.waves[(keys-1-before)*width:], d.waves[(keys-1+before)*width:]
			past[i], past[half+i] = float32(sin), float32(cos)
			future[i], future[half+i] = float32(-sin), float32(cos)
		}
	}
}

// makeDistances makes layer l's keys of the distances that w.distant.waves has.
func (w *workspace) makeDistances(l, keys int, to *mha.DistanceKeys) {
	a, d := &w.model.spec.Layers[l].Attention, &w.distant
	rows, width := 2*keys-1, a.Heads*a.HeadDim
	d.made = grow(d.made, rows*width)
	w.MatMul(kernels.Out{C: d.made, LD: width}, d.waves, rows, w.model.spec.Hidden, w.model.layers[l].toDistances.keys.w, kernels.Epilogue{})
	to.Set(mha.PerToken(d.made, a.Heads, a.HeadDim), a.Heads, a.HeadDim, 1-keys, keys-1)
}

// relate is the relative attention of layer l, nil where there is none.
func (w *workspace) relate(l int) *mha.Relative {
	m, s, d := w.model, &w.stream, &w.distant
	if m.spec.Distances == nil {
		return nil
	}
	longest := 0
	for i := range s.sequences() {
		longest = max(longest, int(s.cuSeqlens[i+1]-s.cuSeqlens[i]))
	}
	longest += s.remembered
	p := &m.layers[l].toDistances
	d.relative = mha.Relative{Content: p.keyBias, Position: p.distBias, Distances: w.distancesOf(l, longest), Backward: w.backward()}
	if s.types != nil {
		d.relative.Segment, d.relative.Segments = p.segmentBias, p.segments
		d.relative.SegmentsQ, d.relative.SegmentsK = s.types, s.types
	}
	return &d.relative
}

// distancesOf are layer l's keys of the distances among so many keys.
func (w *workspace) distancesOf(l, keys int) *mha.DistanceKeys {
	m, d := w.model, &w.distant
	if m.reaches(keys) {
		return m.distances.kept.Load().layers[l]
	}
	if d.reach.keys != keys {
		d.reach = reach{keys: keys, layers: []*mha.DistanceKeys{new(mha.DistanceKeys)}}
		d.wave(m, keys)
	}
	w.makeDistances(l, d.reach.keys, d.reach.layers[0])
	return d.reach.layers[0]
}

// backward says of the stream's sequences whether their distances count the other
// way round.
func (w *workspace) backward() []bool {
	s := &w.stream
	if !w.model.spec.Distances.Backward {
		return nil
	}
	w.distant.backward = grow(w.distant.backward, s.sequences())
	for i := range w.distant.backward {
		w.distant.backward[i] = s.sequence+i >= s.of.sequences/2
	}
	return w.distant.backward
}
