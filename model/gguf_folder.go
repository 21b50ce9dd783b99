package model

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/ladon-ml/ladon/model/weights"
)

// fromFolder takes a folder in Hugging Face's form over.
func (w *ggufWriter) fromFolder(p place) error {
	file := filepath.Join(p.shown, configFile)
	data, err := readFile(p.fsys, path.Join(p.name, configFile), maxConfig)
	if err != nil {
		return fileError(file, err)
	}
	arch, spec, err := parseSpec(file, data, true)
	if err != nil {
		return err
	}
	c, err := newCheckpoint(w.set)
	if err != nil {
		return err
	}
	if c.own {
		return fmt.Errorf("model: %s: already quantised", w.set)
	}
	kind := ggufKindOf(arch)
	if kind == nil {
		return &UnsupportedError{file, "for GGUF, model_type", arch.modelType, GGUFArchitectures()}
	}
	if len(spec.Heads) != 1 || kind.names().Heads[spec.Heads[0].Layers[0].Name] == "" {
		return &UnsupportedError{file, "for GGUF, architectures", spec.class(), []string{kind.class}}
	}
	theirs, ours := arch.names(&spec), kind.names()
	m := newModel(spec)
	if err := c.settle(m, &theirs); err != nil {
		return err
	}
	if theirs.QKV != "" {
		ours.QKV = "attn_qkv"
	}
	from := m.parameters(&theirs, c, nil)
	if err := c.check(from, ""); err != nil {
		return err
	}
	w.addParams(c, from, newModel(m.spec).parameters(&ours, nil, nil), w.typeFor)
	w.spec = &m.spec
	if err := w.addConfig(file, data, arch, kind); err != nil {
		return err
	}
	w.addFileType()
	return w.addVocabulary(p, data)
}

// ggufKindOf is what GGUF calls an architecture.
func ggufKindOf(arch *architecture) *ggufKind {
	modelType := arch.modelType
	switch arch {
	case &mistral:
		modelType = llama.modelType
	case &gemma3Pictures:
		modelType = gemma3.modelType
	}
	for _, k := range ggufKinds {
		if k.modelType == modelType {
			return k
		}
	}
	return nil
}

// addConfig says in GGUF's words what the Spec says.
func (w *ggufWriter) addConfig(file string, data []byte, arch *architecture, k *ggufKind) error {
	all, err := parseConfig(file, data)
	if err != nil {
		return err
	}
	c := arch.of(all)
	s := w.spec
	a, scaling := &s.Layers[0].Attention, c.object("rope_scaling")
	if len(scaling.values) == 0 {
		scaling = c.object("rope_parameters")
	}
	if full := scaling.object(fullAttention); len(full.values) > 0 {
		scaling = full
	}
	local := c.object("rope_parameters").object(slidingAttention)

	w.say("general.architecture", weights.ValueOf(k.name))
	w.say("general.name", weights.ValueOf(filepath.Base(filepath.Dir(file))))
	whole := func(key string, n int) { w.say(k.name+"."+key, weights.ValueOf(uint32(n))) }
	real := func(key string, x float64) { w.say(k.name+"."+key, weights.ValueOf(float32(x))) }
	whole("context_length", c.int("max_position_embeddings", c.int("seq_length", min(s.Embeddings.Positions, 1<<17), 1, maxPositions), 1, maxPositions))
	whole("embedding_length", s.Hidden)
	whole("block_count", len(s.Layers))
	whole("feed_forward_length", s.Layers[0].FeedForward.Width)
	whole("attention.head_count", a.Heads)
	whole("vocab_size", s.Embeddings.Vocab)
	if k.modelType == gptNeoX.modelType {
		w.say(k.name+".use_parallel_residual", weights.ValueOf(s.Norm.Place == ParallelNorm))
	}
	if s.Norm.Kind == LayerNorm {
		real("attention.layer_norm_epsilon", float64(s.Norm.Eps))
	} else {
		real("attention.layer_norm_rms_epsilon", float64(s.Norm.Eps))
	}
	whole("attention.head_count_kv", a.KVHeads)
	if a.Rotary == nil {
		return c.err()
	}
	whole("attention.key_length", a.HeadDim)
	whole("attention.value_length", a.HeadDim)
	whole("rope.dimension_count", a.Rotary.Dim)
	theta := 10000.0
	if k.modelType == gemma3.modelType {
		theta = 1e6
	}
	theta = c.float("rotary_emb_base", theta, minTheta, maxTheta)
	theta = scaling.float("rope_theta", c.float("rope_theta", theta, minTheta, maxTheta), minTheta, maxTheta)
	real("rope.freq_base", theta)
	if k.modelType == gemma3.modelType {
		real("rope.freq_base_swa", local.float("rope_theta", c.float("rope_local_base_freq", 10000, minTheta, maxTheta), minTheta, maxTheta))
	}
	for i := range s.Layers {
		if window := s.Layers[i].Attention.Window; window > 0 {
			whole("attention.sliding_window", window)
			break
		}
	}
	if k.modelType == gemma3.modelType {
		if n := slices.IndexFunc(s.Layers, func(l Layer) bool { return l.Attention.Window == 0 }); n >= 0 && n != 5 {
			whole("attention.sliding_window_pattern", n+1)
		}
	}
	if a.Cap != 0 {
		real("attn_logit_softcapping", float64(a.Cap))
	}
	if limit := s.Heads[0].Layers[0].Cap; limit != 0 {
		real("final_logit_softcapping", float64(limit))
	}
	if a.Scale != rsqrt(a.HeadDim) {
		real("attention.scale", float64(a.Scale))
	}
	w.addRope(scaling, k, theta)
	return c.err()
}

// addRope says how frequencies are changed: in words where GGUF has them, or by
// a tensor of divisors.
func (w *ggufWriter) addRope(scaling *config, k *ggufKind, theta float64) {
	key := k.name + ".rope.scaling."
	real := func(name string, x float64) { w.say(key+name, weights.ValueOf(float32(x))) }
	switch scaling.string("rope_type", scaling.string("type", "default")) {
	case "linear":
		w.say(key+"type", weights.ValueOf("linear"))
		real("factor", scaling.float("factor", 1, 0, math.MaxFloat32))
	case "yarn":
		w.say(key+"type", weights.ValueOf("yarn"))
		real("factor", scaling.float("factor", 1, 0, math.MaxFloat32))
		w.say(key+"original_context_length", weights.ValueOf(uint32(scaling.int("original_max_position_embeddings", w.spec.Embeddings.Positions, 1, maxPositions))))
	case "longrope", "su":
		r := w.spec.Layers[0].Attention.Rotary
		if k.modelType != llama.modelType && k.modelType != phi3.modelType {
			return // llama.cpp looks for the tensors in these
		}
		w.say(key+"type", weights.ValueOf("longrope"))
		w.say(key+"original_context_length", weights.ValueOf(uint32(r.Trained)))
		if r.Scale != 0 {
			real("attn_factor", r.Scale)
		}
		w.addFloats(ggufShort, scaling.floats("short_factor", r.Dim/2))
		w.addFloats(ggufLong, scaling.floats("long_factor", r.Dim/2))
	case "llama3":
		r := w.spec.Layers[0].Attention.Rotary
		divisors := rotaryFreqs(theta, r.Dim)
		for i := range divisors {
			divisors[i] /= r.Freqs[i]
		}
		w.addFloats(ggufFreqs, wide(divisors))
	}
}

func wide(list []float32) []float64 {
	out := make([]float64, len(list))
	for i, x := range list {
		out[i] = float64(x)
	}
	return out
}

// addFloats adds a tensor that the folder does not have.
func (w *ggufWriter) addFloats(name string, values []float64) {
	t := &exported{name: name, shape: []int{len(values)}, dtype: weights.F32}
	t.rows = func() func([]float32, int) error {
		return func(dst []float32, _ int) error {
			for i, x := range values {
				dst[i] = float32(x)
			}
			return nil
		}
	}
	w.tensors = append(w.tensors, t)
}

// differs says what of a model is lost between two Specs; "" if nothing is.
func differs(a, b *Spec) string {
	switch {
	case len(a.Layers) != len(b.Layers), a.Hidden != b.Hidden, a.Norm != b.Norm, a.FinalNorm != b.FinalNorm:
		return "norms or sizes"
	case len(a.Heads) != len(b.Heads), len(a.Heads) > 0 && !sameHead(&a.Heads[0].Layers[0], &b.Heads[0].Layers[0]):
		return "the head"
	}
	x, y := a.Embeddings, b.Embeddings
	x.Pad, y.Pad = 0, 0
	x.Positions = y.Positions // how far a rotation reaches is said in other ways
	if x != y {
		return "embeddings"
	}
	for i := range a.Layers {
		l, m := a.Layers[i], b.Layers[i]
		r, q := l.Attention.Rotary, m.Attention.Rotary
		l.Attention.Rotary, m.Attention.Rotary = nil, nil
		if !reflect.DeepEqual(l, m) {
			return fmt.Sprintf("%s layer %d", layerDiffers(&l, &m), i)
		}
		if !sameRotary(r, q) {
			return fmt.Sprintf("positions in layer %d", i)
		}
	}
	return ""
}

// layerDiffers says by what two layers differ.
func layerDiffers(l, m *Layer) string {
	a, b := &l.Attention, &m.Attention
	switch {
	case l.FeedForward.Act != m.FeedForward.Act:
		return "the activation in"
	case a.Window != b.Window:
		return "the window in"
	case a.Scale != b.Scale || a.Cap != b.Cap:
		return "the scale of scores in"
	case a.QKVBias != b.QKVBias || a.OutBias != b.OutBias || l.FeedForward.Bias != m.FeedForward.Bias:
		return "the biases in"
	}
	return "the shape of"
}

func sameHead(a, b *Dense) bool {
	return a.Width == b.Width && a.Cap == b.Cap && a.Tied == b.Tied && a.NoBias == b.NoBias
}

func sameRotary(a, b *Rotary) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Dim != b.Dim || a.Interleaved != b.Interleaved || a.Trained != b.Trained || !(math.Abs(cmp.Or(a.Scale, 1)-cmp.Or(b.Scale, 1)) <= 1e-6) {
		return false
	}
	near := func(x, y float32) bool { return math.Abs(float64(x-y)) <= 1e-6*float64(x) }
	return slices.EqualFunc(a.Freqs, b.Freqs, near) && slices.EqualFunc(a.LongFreqs, b.LongFreqs, near)
}
