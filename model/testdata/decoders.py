"""The cases of decoders: their shapes, what a case does to them, and which axes of their parameters are which channels."""
import re

import torch

from cases import H, Case, choices, drop, holes, labels, left, plain, positions, ragged

GPT = dict(n_embd=20, n_head=4, n_layer=1, vocab_size=61, n_positions=40)
LLAMA = dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2, intermediate_size=37, num_hidden_layers=1,
             vocab_size=61, max_position_embeddings=48, pad_token_id=0, rms_norm_eps=1e-5)
WIDE = dict(LLAMA, hidden_size=20, num_attention_heads=3, num_key_value_heads=1, head_dim=10)  # heads that do not divide hidden
GEMMA = dict(LLAMA, head_dim=10, query_pre_attn_scalar=7, sliding_window=5, num_hidden_layers=2)

# By the beginning of the class: the config class and its small shape.
FAMILIES = {
    "OpenAIGPT": ("OpenAIGPTConfig", GPT),
    "GPT2": ("GPT2Config", GPT),
    "Llama": ("LlamaConfig", LLAMA),
    "Mistral": ("MistralConfig", dict(LLAMA, sliding_window=5)),
    "Qwen2": ("Qwen2Config", LLAMA),
    "Qwen3": ("Qwen3Config", WIDE),
    "Gemma2": ("Gemma2Config", GEMMA),
    "Gemma3": ("Gemma3TextConfig", GEMMA),
    "GPTNeoX": ("GPTNeoXConfig", dict(hidden_size=32, num_attention_heads=4, num_hidden_layers=1, intermediate_size=37, vocab_size=61, max_position_embeddings=48,
                                      pad_token_id=0, rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.25))),
    "GPTNeo": ("GPTNeoConfig", dict(hidden_size=20, num_heads=4, num_layers=2, attention_types=[[["global", "local"], 1]], window_size=4, vocab_size=61,
                                    max_position_embeddings=40, pad_token_id=0)),
    "OPT": ("OPTConfig", dict(hidden_size=20, num_attention_heads=4, num_hidden_layers=1, ffn_dim=37, vocab_size=61, max_position_embeddings=40, pad_token_id=0,
                              word_embed_proj_dim=20)),
    "Bloom": ("BloomConfig", dict(hidden_size=20, n_head=4, n_layer=1, vocab_size=61, pad_token_id=0)),
    "Phi3": ("Phi3Config", dict(LLAMA, original_max_position_embeddings=48)),
}

def given(batch, n, seq):
    """Choices with a token of each that is scored, and types of tokens, which are words too."""
    def f(rng, conf):
        out = choices(batch, n, seq)(rng, conf)
        return {"input_ids": out["input_ids"], "mc_token_ids": rng.integers(0, seq, (batch, n)),
                "token_type_ids": rng.integers(0, conf.vocab_size, (batch, n, seq))}
    return f


def word_types(seq):
    def f(rng, conf):
        return dict(ragged(seq, 3)(rng, conf), token_type_ids=rng.integers(0, conf.vocab_size, (2, seq)))
    return f


# Which channels the axes of a parameter follow, by the end of its name: h(idden), f(eed-forward) or None.
AXES = [
    (r"(wte|wpe|tokens_embed|positions_embed|embed_tokens)\.weight", (None, "h")),
    (r"attn\.c_attn\.weight", ("h", None)),
    (r"attn\.c_proj\.weight", (None, "h")),
    (r"attn\.c_proj\.bias", ("h",)),
    (r"mlp\.c_fc\.weight", ("h", "f")),
    (r"mlp\.c_fc\.bias", ("f",)),
    (r"mlp\.c_proj\.weight", ("f", "h")),
    (r"mlp\.c_proj\.bias", ("h",)),
    (r"(qkv|[qkv])_proj\.weight", (None, "h")),
    (r"(query_key_value|embed_in|embed_out|word_embeddings|embed_positions)\.weight", (None, "h")),
    (r"(attention|self_attention)\.dense\.weight", ("h", None)),
    (r"(attention|self_attention)\.dense\.bias", ("h",)),
    (r"dense_h_to_4h\.weight|fc1\.weight", ("f", "h")),
    (r"dense_h_to_4h\.bias|fc1\.bias", ("f",)),
    (r"dense_4h_to_h\.weight|fc2\.weight", ("h", "f")),
    (r"dense_4h_to_h\.bias|fc2\.bias", ("h",)),
    (r"project_in\.weight", ("h", None)),
    (r"multiple_choice_head\.summary\.weight", (None, "h")),
    (r"project_out\.weight", (None, "h")),
    (r"out_proj\.weight", ("h", None)),
    (r"out_proj\.bias", ("h",)),
    (r"o_proj\.weight", ("h", None)),
    (r"o_proj\.bias", ("h",)),
    (r"(gate|up)_proj\.weight", ("f", "h")),
    (r"(gate|up)_proj\.bias", ("f",)),
    (r"down_proj\.weight", ("h", "f")),
    (r"down_proj\.bias", ("h",)),
    (r"[qk]_norm\.weight", (None,)),
    (r"(norm|ln_\w+|layernorm|layer_norm)\.(weight|bias)", ("h",)),
    (r"(lm_head|score|qa_outputs|classifier)\.weight", (None, "h")),
]


def axes(name, case):
    arch = case.arch
    if arch.startswith("GPTNeo") and re.search(r"mlp\.c_(fc|proj)\.weight$", name):
        return ("f", "h") if "c_fc" in name else ("h", "f")
    if arch.startswith("Phi3") and "gate_up_proj" in name:
        return (None, "h")
    if arch.startswith("Phi3") and "down_proj" in name:
        return ("h", None)
    for pattern, which in AXES:
        if re.search(pattern + "$", name):
            return which
    return (None, None)


def old_rope(conf):
    """rope_theta and rope_scaling, as files before transformers 5 have it."""
    p = conf.pop("rope_parameters")
    conf["rope_theta"] = p.pop("rope_theta")
    if p.get("rope_type", "default") != "default":
        conf["rope_scaling"] = p


def old_rope_type(conf):
    """The oldest spelling: the kind is called type."""
    old_rope(conf)
    conf["rope_scaling"]["type"] = conf["rope_scaling"].pop("rope_type")


def old_gemma3(conf):
    """Gemma 3 as it was published: rope_theta, rope_local_base_freq and a pattern."""
    p = conf.pop("rope_parameters")
    conf["rope_theta"], conf["rope_local_base_freq"] = p["full_attention"].pop("rope_theta"), p["sliding_attention"]["rope_theta"]
    if p["full_attention"]["rope_type"] != "default":
        conf["rope_scaling"] = p["full_attention"]
    conf.pop("layer_types")
    conf.pop("_sliding_window_pattern", None)
    conf["sliding_window_pattern"] = 3


def first_gpt2(w):
    """The files of 2019: no prefix, and the causal mask stored as a tensor."""
    out = {k.removeprefix("transformer."): v for k, v in w.items()}

    return out | {f"h.{i}.attn.bias": torch.ones(1, 1, 40, 40).tril() for i in range(2)} | {"h.0.attn.masked_bias": torch.tensor(-1e4)}


def old_neox(conf):
    """rotary_pct and rotary_emb_base, as GPT-NeoX was published with."""
    p = conf.pop("rope_parameters")
    conf["rotary_pct"], conf["rotary_emb_base"] = p["partial_rotary_factor"], p["rope_theta"]


def old_phi3(conf):
    """The spelling that Phi-3 was published with."""
    old_rope(conf)
    conf["rope_scaling"] = {"type": "longrope", "short_factor": conf["rope_scaling"]["short_factor"], "long_factor": conf["rope_scaling"]["long_factor"]}


def rope(kind, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=more.pop("theta", 10000.0), **more))


LLAMA3 = rope("llama3", theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=24)
YARN = rope("yarn", theta=10000.0, factor=4.0, original_max_position_embeddings=16)
LONG = dict(rope("longrope", factor=3.0, original_max_position_embeddings=16, short_factor=[1.0, 1.1, 1.3], long_factor=[1.0, 2.5, 5.5]),
            max_position_embeddings=48)
LONG_INPUT = dict(max_position_embeddings=140, num_attention_heads=6, head_dim=18, num_hidden_layers=2)


def padded(*lengths):
    """Padded on the right with pad_token_id, which classifiers of sequences look for."""
    return ragged(*lengths)


CASES = [
    Case("gpt-model", "OpenAIGPTModel", "two layers, head size 5, padding on the left, all hidden states and attentions",
         dict(n_layer=2), left(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("gpt-lm", "OpenAIGPTLMHeadModel", "24 greedy tokens; gelu means the tanh form", dict(n_layer=2), ragged(7, 3), H, greedy=True),
    Case("gpt-seqcls", "OpenAIGPTForSequenceClassification", "three labels, afn swish, eps 1e-3, padding on the left",
         dict(pad_token_id=0, afn="swish", layer_norm_epsilon=1e-3, **labels("a", "b", "c")), left(7, 3, 5), H),

    Case("gpt2-model", "GPT2Model", "two layers, head size 5, padding on the left, all hidden states and attentions; hidden_states.2 is normed",
         dict(n_layer=2), left(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("gpt2-lm", "GPT2LMHeadModel", "24 greedy tokens, two layers", dict(n_layer=2), ragged(7, 3), H, greedy=True),
    Case("gpt2-lm-untied", "GPT2LMHeadModel", "a matrix of its own, n_inner 29, relu", dict(tie_word_embeddings=False, n_inner=29, activation_function="relu"), ragged(7, 3), H),
    Case("gpt2-lm-first", "GPT2LMHeadModel", "names without prefix and a stored causal mask", dict(n_layer=2), ragged(7, 3), H, edit_weights=first_gpt2),
    Case("gpt2-scales", "GPT2Model", "scores divided by the layer's number, not by the root of the head size",
         dict(n_layer=2, scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True), plain(2, 6), H, attentions=True),
    Case("gpt2-long", "GPT2Model", "130 tokens and 1, head size 9", dict(n_embd=36, n_layer=2, n_positions=130), ragged(130, 1), H),
    Case("gpt2-positions", "GPT2Model", "position_ids out of order", {}, positions(3), H),
    Case("gpt2-double", "GPT2DoubleHeadsModel", "two questions of three choices, the last token counts, be it padding", dict(summary_activation="tanh"), choices(2, 3, 6), H, choices=True),
    Case("gpt2-double-given", "GPT2DoubleHeadsModel", "a token of each choice counts, token types are words", dict(n_layer=2), given(2, 3, 6), H, choices=True),
    Case("gpt-double", "OpenAIGPTDoubleHeadsModel", "a token of each choice counts, token types are words", {}, given(2, 2, 5), H, choices=True),
    Case("gpt2-types", "GPT2Model", "token types are words", {}, word_types(6), H),
    Case("gpt2-seqcls", "GPT2ForSequenceClassification", "the last token that is no padding counts", dict(pad_token_id=0, num_labels=3), padded(7, 3, 5), H),
    Case("gpt2-seqcls-left", "GPT2ForSequenceClassification", "padding on the left", dict(pad_token_id=0, num_labels=3), left(7, 3, 5), H),
    Case("gpt2-tokcls", "GPT2ForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("gpt2-qa", "GPT2ForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),

    Case("llama-model", "LlamaModel", "two layers, three query heads to a key, padding on the left, all hidden states and attentions",
         dict(num_hidden_layers=2, num_attention_heads=6, head_dim=10), left(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("llama-lm", "LlamaForCausalLM", "24 greedy tokens, two layers", dict(num_hidden_layers=2), ragged(7, 3), H, greedy=True),
    Case("llama-lm-tied", "LlamaForCausalLM", "tied, bfloat16, one key head, 24 greedy tokens, theta 500000 in rope_parameters",
         dict(num_hidden_layers=2, num_key_value_heads=1, tie_word_embeddings=True, **rope("default", theta=500000.0)), left(8, 3), torch.bfloat16, greedy=True),
    Case("llama-bias", "LlamaModel", "biases everywhere, hidden_act gelu, eps 1e-3, rope_theta as old files have it",
         dict(attention_bias=True, mlp_bias=True, hidden_act="gelu", rms_norm_eps=1e-3, **rope("default", theta=500.0)), ragged(7, 3), H, edit_config=old_rope),
    Case("llama-long", "LlamaModel", "130 tokens and 1, head size 18, three query heads to a key", LONG_INPUT, ragged(130, 1), H),
    Case("llama-one-token", "LlamaForCausalLM", "one token, few keys in config.json", dict(num_key_value_heads=4, rms_norm_eps=1e-6), plain(1, 1), H,
         edit_config=drop("num_key_value_heads", "head_dim", "rms_norm_eps", "hidden_act", "rope_parameters", "attention_bias", "mlp_bias",
                          "tie_word_embeddings", "pad_token_id")),
    Case("llama-positions", "LlamaModel", "position_ids out of order", {}, positions(3), H),
    Case("llama-linear", "LlamaModel", "rope_type linear, beyond max_position_embeddings", dict(max_position_embeddings=16, **rope("linear", factor=2.5)), plain(2, 33), H),
    Case("llama-linear-old", "LlamaModel", "type linear in rope_scaling", dict(max_position_embeddings=16, **rope("linear", factor=2.5)), plain(1, 20), H, edit_config=old_rope_type),
    Case("llama-dynamic", "LlamaModel", "rope_type dynamic, longer than it was trained", dict(max_position_embeddings=16, **rope("dynamic", factor=2.0)), plain(2, 41), H),
    Case("llama-dynamic-short", "LlamaModel", "rope_scaling dynamic, not longer than it was trained", dict(max_position_embeddings=16, **rope("dynamic", factor=2.0)), plain(2, 16), H, edit_config=old_rope),
    Case("llama-llama3", "LlamaForCausalLM", "rope_type llama3, 24 greedy tokens", dict(hidden_size=40, **LLAMA3), plain(2, 45), H, greedy=True),
    Case("llama-llama3-old", "LlamaModel", "rope_scaling llama3", dict(hidden_size=40, **LLAMA3), plain(2, 45), H, edit_config=old_rope),
    Case("llama-yarn", "LlamaForCausalLM", "rope_type yarn, which scales cosines and sines too, 24 greedy tokens", dict(hidden_size=40, max_position_embeddings=64, **YARN), plain(2, 45), H, greedy=True),
    Case("llama-yarn-old", "LlamaModel", "rope_scaling yarn with betas and attention_factor",
         dict(hidden_size=40, rope_parameters=dict(YARN["rope_parameters"], beta_fast=8.0, beta_slow=0.5, attention_factor=1.3)), plain(2, 45), H, edit_config=old_rope),
    Case("llama-yarn-mscale", "LlamaModel", "rope_type yarn with mscale, not truncated",
         dict(hidden_size=40, rope_parameters=dict(YARN["rope_parameters"], mscale=0.8, mscale_all_dim=0.5, truncate=False)), plain(2, 45), H),
    Case("llama-longrope", "LlamaModel", "rope_type longrope, longer than it was trained", LONG, plain(2, 30), H),
    Case("llama-longrope-short", "LlamaModel", "rope_scaling longrope, not longer than it was trained", LONG, plain(2, 16), H, edit_config=old_rope),
    Case("llama-seqcls", "LlamaForSequenceClassification", "the last token that is no padding counts", dict(num_labels=3), padded(7, 3, 5), H),
    Case("llama-seqcls-left", "LlamaForSequenceClassification", "padding on the left", dict(num_labels=3), left(7, 3, 5), H),
    Case("llama-seqcls-no-pad", "LlamaForSequenceClassification", "one text, no padding token", dict(num_labels=1, pad_token_id=None), plain(1, 6), H),
    Case("llama-tokcls", "LlamaForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("llama-qa", "LlamaForQuestionAnswering", "start and end logits; its base is called transformer", {}, ragged(7, 3), H),

    Case("mistral-model", "MistralModel", "a window of 5 in every layer, padding on the left, all hidden states and attentions",
         dict(num_hidden_layers=2), left(12, 9, 2), H, hidden_states=True, attentions=True),
    Case("mistral-lm", "MistralForCausalLM", "24 greedy tokens, far beyond the window", dict(num_hidden_layers=2), ragged(9, 3), H, greedy=True),
    Case("mistral-holes", "MistralModel", "masked positions between others count in a window", {}, holes, H, attentions=True),
    Case("mistral-no-window", "MistralForCausalLM", "sliding_window null", dict(sliding_window=None), plain(1, 12), H),
    Case("mistral-long", "MistralModel", "130 tokens, a window of 37", dict(LONG_INPUT, sliding_window=37), ragged(130, 1), H),
    Case("mistral-seqcls", "MistralForSequenceClassification", "padding on the left", dict(num_labels=3), left(7, 3, 5), H),
    Case("mistral-tokcls", "MistralForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("mistral-qa", "MistralForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),

    Case("qwen2-model", "Qwen2Model", "biases of queries, keys and values; a window from the second layer on; all hidden states and attentions",
         dict(num_hidden_layers=2, use_sliding_window=True, sliding_window=4, max_window_layers=1), left(12, 9, 2), H, hidden_states=True, attentions=True,
         edit_config=drop("layer_types")),
    Case("qwen2-lm", "Qwen2ForCausalLM", "24 greedy tokens, tied; a window that is not used", dict(num_hidden_layers=2, tie_word_embeddings=True, sliding_window=4), ragged(7, 3), H, greedy=True),
    Case("qwen2-seqcls", "Qwen2ForSequenceClassification", "the last token that is no padding counts", dict(num_labels=3), padded(7, 3, 5), H),
    Case("qwen2-tokcls", "Qwen2ForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("qwen2-qa", "Qwen2ForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),

    Case("qwen3-model", "Qwen3Model", "three heads of 10 that do not divide hidden, one key head, QK norm; all hidden states and attentions",
         dict(num_hidden_layers=2), left(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("qwen3-lm", "Qwen3ForCausalLM", "24 greedy tokens, attention_bias, a window in the second layer by layer_types",
         dict(num_hidden_layers=2, attention_bias=True, use_sliding_window=True, sliding_window=6, layer_types=["full_attention", "sliding_attention"]), ragged(9, 3), H, greedy=True),
    Case("qwen3-seqcls", "Qwen3ForSequenceClassification", "padding on the left", dict(num_labels=3), left(7, 3, 5), H),
    Case("qwen3-tokcls", "Qwen3ForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("qwen3-qa", "Qwen3ForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),

    Case("gemma2-model", "Gemma2Model", "scores bounded by 2, a window in the first layer; all hidden states and attentions",
         dict(attn_logit_softcapping=2.0), left(12, 9, 2), H, hidden_states=True, attentions=True, edit_config=drop("layer_types")),
    Case("gemma2-lm", "Gemma2ForCausalLM", "logits bounded by 3, 24 greedy tokens", dict(final_logit_softcapping=3.0), ragged(7, 3), H, greedy=True),
    Case("gemma2-unbounded", "Gemma2ForCausalLM", "both bounds null, sliding_window null", dict(final_logit_softcapping=None, attn_logit_softcapping=None, attention_bias=True), plain(1, 6), H),
    Case("gemma2-defaults", "Gemma2ForCausalLM", "the bounds are not in config.json, which has 30 and 50", {}, plain(1, 9), H,
         edit_config=drop("final_logit_softcapping", "attn_logit_softcapping", "tie_word_embeddings", "hidden_activation", "pad_token_id")),
    Case("gemma2-seqcls", "Gemma2ForSequenceClassification", "padding on the left", dict(num_labels=3), left(7, 3, 5), H),
    Case("gemma2-tokcls", "Gemma2ForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),

    Case("gemma3-model", "Gemma3TextModel", "three layers, the last one global; QK norm; all hidden states and attentions",
         dict(num_hidden_layers=3, layer_types=["sliding_attention", "sliding_attention", "full_attention"]), left(12, 9, 2), H, hidden_states=True, attentions=True),
    Case("gemma3-lm", "Gemma3ForCausalLM", "24 greedy tokens, rope_parameters by kind of layer, global layers scaled",
         dict(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"],
              rope_parameters={"full_attention": dict(rope_type="linear", factor=3.0, rope_theta=5000.0),
                               "sliding_attention": dict(rope_type="default", rope_theta=300.0)}), ragged(9, 3), H, greedy=True),
    Case("gemma3-old", "Gemma3ForCausalLM", "rope_theta, rope_local_base_freq, rope_scaling and sliding_window_pattern",
         dict(num_hidden_layers=3, sliding_window_pattern=3,
              rope_parameters={"full_attention": dict(rope_type="linear", factor=3.0, rope_theta=5000.0),
                               "sliding_attention": dict(rope_type="default", rope_theta=300.0)}), plain(2, 11), H, edit_config=old_gemma3),
    Case("gemma3-both-ways", "Gemma3TextModel", "use_bidirectional_attention", dict(num_hidden_layers=2, sliding_window=7, use_bidirectional_attention=True,
         layer_types=["sliding_attention", "full_attention"]), ragged(12, 5), H, attentions=True),
    Case("gemma3-bounds", "Gemma3ForCausalLM", "logits bounded by 3; attn_logit_softcapping bounds nothing",
         dict(num_hidden_layers=2, attn_logit_softcapping=0.5, final_logit_softcapping=3.0, layer_types=["sliding_attention", "full_attention"]), plain(2, 9), H),
    Case("gemma3-seqcls", "Gemma3TextForSequenceClassification", "padding on the left", dict(num_labels=3, layer_types=["sliding_attention", "full_attention"]), left(7, 3, 5), H),

    Case("neo-model", "GPTNeoModel", "scores that are not scaled, a window of 4 in the second layer, padding on the left; all hidden states and attentions",
         {}, left(12, 9, 2), H, hidden_states=True, attentions=True),
    Case("neo-lm", "GPTNeoForCausalLM", "24 greedy tokens, intermediate_size 29", dict(intermediate_size=29), ragged(9, 3), H, greedy=True),
    Case("neo-seqcls", "GPTNeoForSequenceClassification", "padding on the left", dict(num_labels=3), left(7, 3, 5), H),
    Case("neo-tokcls", "GPTNeoForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("neo-qa", "GPTNeoForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),

    Case("neox-model", "GPTNeoXModel", "attention and feed-forward side by side, two of eight elements turned, padding on the left; all hidden states and attentions",
         dict(num_hidden_layers=2), left(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("neox-lm", "GPTNeoXForCausalLM", "24 greedy tokens, one after the other, no attention bias", dict(num_hidden_layers=2, use_parallel_residual=False, attention_bias=False), ragged(7, 3), H, greedy=True),
    Case("neox-lm-old", "GPTNeoXForCausalLM", "rotary_pct and rotary_emb_base, 24 greedy tokens", dict(num_hidden_layers=2,
         rope_parameters=dict(rope_type="default", rope_theta=500.0, partial_rotary_factor=0.5)), ragged(7, 3), H, edit_config=old_neox, greedy=True),
    Case("neox-seqcls", "GPTNeoXForSequenceClassification", "padding on the left", dict(num_labels=3), left(7, 3, 5), H),
    Case("neox-tokcls", "GPTNeoXForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("neox-qa", "GPTNeoXForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),

    Case("opt-model", "OPTModel", "positions that pass over padding on the left; all hidden states and attentions", dict(num_hidden_layers=2), left(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("opt-lm", "OPTForCausalLM", "24 greedy tokens", dict(num_hidden_layers=2), ragged(7, 3), H, greedy=True),
    Case("opt-post", "OPTForCausalLM", "norms after their part, no biases", dict(num_hidden_layers=2, do_layer_norm_before=False, enable_bias=False), left(7, 3), H),
    Case("opt-narrow", "OPTForCausalLM", "words of 12, projected to 20 and back; norms after their part, tied, 24 greedy tokens",
         dict(num_hidden_layers=2, do_layer_norm_before=False, word_embed_proj_dim=12), ragged(7, 3), H, greedy=True),
    Case("opt-wide", "OPTModel", "words of 28; all hidden states and attentions, padding on the left", dict(num_hidden_layers=2, word_embed_proj_dim=28), left(9, 4, 1), H,
         hidden_states=True, attentions=True),
    Case("opt-narrow-seqcls", "OPTForSequenceClassification", "words of 12, padding", dict(num_labels=3, word_embed_proj_dim=12), padded(7, 3, 5), H),
    Case("opt-positions", "OPTModel", "position_ids out of order", {}, positions(3), H),
    Case("opt-seqcls", "OPTForSequenceClassification", "the last token that is no padding counts", dict(num_labels=3), padded(7, 3, 5), H),
    Case("opt-qa", "OPTForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),

    Case("bloom-model", "BloomModel", "ALiBi, padding on the left; all hidden states and attentions", dict(n_layer=2), left(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("bloom-lm", "BloomForCausalLM", "24 greedy tokens, six heads, which is no power of two", dict(n_layer=2, n_head=6, hidden_size=30), ragged(7, 3), H, greedy=True),
    Case("bloom-long", "BloomModel", "130 tokens and 1", dict(hidden_size=36), ragged(130, 1), H),
    Case("bloom-seqcls", "BloomForSequenceClassification", "padding on the left", dict(num_labels=3), left(7, 3, 5), H),
    Case("bloom-tokcls", "BloomForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("bloom-qa", "BloomForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),

    Case("phi3-model", "Phi3Model", "matrices stored together, padding on the left; all hidden states and attentions", dict(num_hidden_layers=2), left(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("phi3-lm", "Phi3ForCausalLM", "24 greedy tokens, a window of 5", dict(num_hidden_layers=2, sliding_window=5), ragged(9, 3), H, greedy=True),
    Case("phi3-part", "Phi3Model", "four of eight elements turned", dict(hidden_size=32, **rope("default", partial_rotary_factor=0.5)), plain(2, 9), H),
    Case("phi3-longrope", "Phi3Model", "rope_scaling longrope, longer than it was trained", dict(original_max_position_embeddings=16, **rope("longrope", short_factor=[1.0, 1.1, 1.3], long_factor=[1.0, 2.5, 5.5])),
         plain(2, 30), H, edit_config=old_phi3),
    Case("phi3-seqcls", "Phi3ForSequenceClassification", "padding on the left", dict(num_labels=3), left(7, 3, 5), H),
    Case("phi3-tokcls", "Phi3ForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
]
