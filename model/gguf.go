package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ladon-ml/ladon/model/weights"
)

// A GGUF file's metadata say what a config.json says, in other words. They are
// translated into those of config.json, which the architecture's table reads: a
// model has the same Spec whichever file it comes from. The tensors have the same
// names in all architectures.

// A ggufKind is a general.architecture of GGUF.
type ggufKind struct {
	name      string // general.architecture, and what its keys begin with
	modelType string
	class     string
	keys      [][2]string // a key of the metadata after "NAME.", and config.json's
	required  int         // so many keys, from the first on, must be there
	paired    bool        // see names
	joined    bool        // gate and up are one tensor
	// settle adds what the metadata leave to llama.cpp's own code.
	settle func(g *ggufConfig)
}

// ggufKinds is the one list of them.
var ggufKinds = []*ggufKind{
	{name: "llama", modelType: "llama", class: "LlamaForCausalLM", keys: ggufDecoderKeys, required: 6, paired: true, settle: func(g *ggufConfig) {
		if _, ok := g.config["sliding_window"]; ok { // which Llama's table has not
			g.config["model_type"], g.config["architectures"] = mistral.modelType, []string{"MistralForCausalLM"}
		}
	}},
	{name: "qwen2", modelType: "qwen2", class: "Qwen2ForCausalLM", keys: ggufDecoderKeys, required: 6},
	{name: "qwen3", modelType: "qwen3", class: "Qwen3ForCausalLM", keys: ggufDecoderKeys, required: 6},
	{name: "gemma2", modelType: "gemma2", class: "Gemma2ForCausalLM", keys: ggufDecoderKeys, required: 6, settle: func(g *ggufConfig) {
		g.fallback("final_logit_softcapping", realNumber(30, 64))
		g.queryScale(46)
	}},
	{name: "gemma3", modelType: "gemma3_text", class: "Gemma3ForCausalLM", keys: ggufDecoderKeys, required: 6, settle: func(g *ggufConfig) {
		g.queryScale(62)
	}},
	{name: "gpt2", modelType: "gpt2", class: "GPT2LMHeadModel", required: 6, keys: [][2]string{
		{"context_length", "n_positions"},
		{"embedding_length", "n_embd"},
		{"block_count", "n_layer"},
		{"feed_forward_length", "n_inner"},
		{"attention.head_count", "n_head"},
		{"attention.layer_norm_epsilon", "layer_norm_epsilon"},
	}},
	{name: "phi3", modelType: "phi3", class: "Phi3ForCausalLM", keys: ggufDecoderKeys, required: 6, joined: true, settle: func(g *ggufConfig) {
		g.turnedPart("partial_rotary_factor")
	}},
	{name: "gptneox", modelType: "gpt_neox", class: "GPTNeoXForCausalLM", required: 6, keys: [][2]string{
		{"context_length", "max_position_embeddings"},
		{"embedding_length", "hidden_size"},
		{"block_count", "num_hidden_layers"},
		{"feed_forward_length", "intermediate_size"},
		{"attention.head_count", "num_attention_heads"},
		{"attention.layer_norm_epsilon", "layer_norm_eps"},
		{"rope.freq_base", "rotary_emb_base"},
	}, settle: func(g *ggufConfig) {
		g.turnedPart("rotary_pct")
		_, g.config["attention_bias"] = g.set.Lookup("blk.0.attn_qkv.bias")
		if v, full, ok := g.value("use_parallel_residual"); ok {
			if g.config["use_parallel_residual"], ok = v.Bool(); !ok {
				g.problem(full, "%v is neither true nor false", v)
			}
		}
	}},
	{name: "bloom", modelType: "bloom", class: "BloomForCausalLM", required: 6, keys: [][2]string{
		{"context_length", "seq_length"},
		{"embedding_length", "hidden_size"},
		{"block_count", "n_layer"},
		{"feed_forward_length", ""},
		{"attention.head_count", "n_head"},
		{"attention.layer_norm_epsilon", "layer_norm_epsilon"},
	}},
}

var ggufDecoderKeys = [][2]string{
	{"context_length", "max_position_embeddings"},
	{"embedding_length", "hidden_size"},
	{"block_count", "num_hidden_layers"},
	{"feed_forward_length", "intermediate_size"},
	{"attention.head_count", "num_attention_heads"},
	{"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
	{"attention.head_count_kv", "num_key_value_heads"},
	{"attention.key_length", "head_dim"},
	{"attention.sliding_window", "sliding_window"},
	{"attention.sliding_window_pattern", "sliding_window_pattern"},
	{"rope.freq_base", "rope_theta"},
	{"rope.freq_base_swa", "rope_local_base_freq"},
	{"attn_logit_softcapping", "attn_logit_softcapping"},
	{"final_logit_softcapping", "final_logit_softcapping"},
}

// GGUFArchitectures lists the values of general.architecture that Load understands.
func GGUFArchitectures() []string {
	list := make([]string, len(ggufKinds))
	for i, k := range ggufKinds {
		list[i] = k.name
	}
	slices.Sort(list)
	return list
}

// The tensors that are not the layers'.
const (
	ggufWords  = "token_embd"
	ggufOutput = "output"
	ggufFreqs  = "rope_freqs.weight" // what Llama 3.1 and later divide frequencies by
)

// ggufNames are what tensors are called in every architecture.
func (k *ggufKind) names() names {
	n := names{
		Words:         ggufWords,
		Positions:     "position_embd",
		EmbeddingNorm: "token_embd_norm",
		FinalNorm:     "output_norm",
		Layer:         "blk.%d.",

		AttentionNorm: "attn_norm",
		Query:         "attn_q",
		Key:           "attn_k",
		Value:         "attn_v",
		QueryNorm:     "attn_q_norm",
		KeyNorm:       "attn_k_norm",
		Out:           "attn_output",

		FeedForwardNorm: "ffn_norm",
		Gate:            "ffn_gate",
		Up:              "ffn_up",
		Down:            "ffn_down",

		AttentionPostNorm:   "post_attention_norm",
		FeedForwardPostNorm: "post_ffw_norm",

		PairedQK: k.paired,
		Heads:    map[string]string{"lm_head": ggufOutput, "embed_out": ggufOutput},
	}
	if k.joined {
		n.GateUp = n.Up
	}
	return n
}

// A ggufConfig is a config.json in the making.
type ggufConfig struct {
	set      *weights.Set
	kind     *ggufKind
	config   map[string]any
	from     map[string]string  // config.json's keys to those of the metadata
	layers   map[string][]int64 // metadata that differ from layer to layer
	problems []string
}

func (g *ggufConfig) problem(key, format string, args ...any) {
	g.problems = append(g.problems, key+": "+fmt.Sprintf(format, args...))
}

// value looks up a key of the architecture.
func (g *ggufConfig) value(key string) (v weights.Value, full string, ok bool) {
	full = g.kind.name + "." + key
	v, ok = g.set.Value(full)
	return v, full, ok
}

func (g *ggufConfig) fallback(key string, value any) {
	if _, ok := g.config[key]; !ok {
		g.config[key] = value
	}
}

// queryScale: scores are scaled by the heads' size, but in Gemma's 27B models,
// which are known by their layers, by that which heads sharing hidden evenly
// would have.
func (g *ggufConfig) queryScale(layers int64) {
	hidden, _ := g.config["hidden_size"].(int64)
	heads, _ := g.config["num_attention_heads"].(int64)
	size := g.config["head_dim"]
	if g.config["num_hidden_layers"] == layers && heads > 0 {
		size = hidden / heads
	}
	if size != nil {
		g.config["query_pre_attn_scalar"] = size
	}
}

// number reads a number, which must be an integer or a float as the file has it.
func number(v weights.Value) (any, bool) {
	if n, ok := v.Int(); ok {
		return n, true
	}
	x, ok := v.Float()
	bits := 64
	if v.Kind() == weights.KindFloat32 {
		bits = 32
	}
	return realNumber(x, bits), ok && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// realNumber is a float as JSON with no more digits than its bits need, and a
// point: transformers refuses 30 where it wants 30.0.
func realNumber(x float64, bits int) json.Number {
	s := strconv.FormatFloat(x, 'g', -1, bits)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return json.Number(s)
}

// take translates one key.
func (g *ggufConfig) take(key, to string, required bool) {
	v, full, ok := g.value(key)
	if !ok {
		if required {
			g.problem(full, "missing")
		}
		return
	}
	if to == "" { // it follows from others, and is looked at where it must
		return
	}
	g.from[to] = full
	if v.Kind() == weights.KindArray {
		list, ok := v.Ints()
		if !ok || len(list) == 0 {
			g.problem(full, "%v is no number, nor one for each layer", v)
			return
		}
		g.config[to] = list[0]
		if slices.Max(list) != slices.Min(list) {
			g.layers[full] = list
		}
		return
	}
	n, ok := number(v)
	if !ok {
		g.problem(full, "%v is no number", v)
		return
	}
	if n == int64(0) && to == "sliding_window" {
		return // there is none
	}
	g.config[to] = n
}

// whole reads an optional key that must be a whole number.
func (g *ggufConfig) whole(key string) (n int64, full string, ok bool) {
	v, full, ok := g.value(key)
	if !ok {
		return 0, full, false
	}
	if n, ok = v.Int(); !ok {
		g.problem(full, "%v is no whole number", v)
	}
	return n, full, ok
}

// ggufToConfig translates the metadata of set.
func ggufToConfig(set *weights.Set) (*ggufConfig, error) {
	v, ok := set.Value("general.architecture")
	name, isText := v.Text()
	if !ok || !isText {
		return nil, &ConfigError{set.String(), []string{"general.architecture: missing; supported: " + strings.Join(GGUFArchitectures(), ", ")}}
	}
	i := slices.IndexFunc(ggufKinds, func(k *ggufKind) bool { return k.name == name })
	if i < 0 {
		return nil, &UnsupportedError{set.String(), "general.architecture", shown([]byte(name)), GGUFArchitectures()}
	}
	k := ggufKinds[i]
	g := &ggufConfig{set: set, kind: k, from: map[string]string{}, layers: map[string][]int64{}, config: map[string]any{
		"model_type": k.modelType, "architectures": []string{k.class},
	}}
	for i, key := range k.keys {
		g.take(key[0], key[1], i < k.required)
	}
	words, ok := set.Lookup(ggufWords + ".weight")
	if !ok || len(words.Shape) != 2 {
		return nil, &WeightsError{File: set.String(), Problems: []string{fmt.Sprintf("tensor %q, a matrix, is missing", ggufWords+".weight")}}
	}
	g.config["vocab_size"] = words.Shape[0]
	_, untied := set.Lookup(ggufOutput + ".weight")
	g.config["tie_word_embeddings"] = !untied
	g.config["pad_token_id"] = nil
	for key, to := range map[string]string{"bos_token_id": "bos_token_id", "eos_token_id": "eos_token_id", "padding_token_id": "pad_token_id"} {
		if v, ok := set.Value("tokenizer.ggml." + key); ok {
			g.config[to], _ = number(v)
		}
	}
	g.longRope()
	g.ropeScaling()
	if n, full, ok := g.whole("expert_count"); ok && n > 0 {
		g.problem(full, "mixtures of experts are not supported")
	}
	if k.settle != nil {
		k.settle(g)
	}
	return g, g.err(nil)
}

// err is the error of all problems, and of those that the architecture's table
// has found, under the keys of the metadata.
func (g *ggufConfig) err(err error) error {
	problems := g.problems
	if e, ok := errors.AsType[*ConfigError](err); ok {
		for _, p := range e.Problems {
			key, what, _ := strings.Cut(p, ": ")
			if full, ok := g.from[key]; ok {
				p = full + ": " + what
			}
			problems = append(problems, p)
		}
	} else if err != nil {
		return err
	}
	if len(problems) == 0 {
		return nil
	}
	return &ConfigError{g.set.String(), problems}
}

// ggufSpec is the Spec of a GGUF file, and its tensors' names.
func ggufSpec(set *weights.Set, heads bool) (Spec, names, error) {
	g, err := ggufToConfig(set)
	if err != nil {
		return Spec{}, names{}, err
	}
	data, err := json.Marshal(g.config)
	if err != nil {
		return Spec{}, names{}, fmt.Errorf("model: %s: %w", set, err)
	}
	_, spec, err := parseSpec(set.String(), data, heads)
	if err := g.err(err); err != nil {
		return Spec{}, names{}, err
	}
	n := g.kind.names()
	if _, ok := set.Lookup(n.layer(0) + "attn_qkv.weight"); ok {
		n.QKV = "attn_qkv"
	}
	g.adjust(&spec, &n)
	return spec, n, g.err(nil)
}
