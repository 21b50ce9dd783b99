"""Writes language models of testdata as GGUF with the gguf package of llama.cpp, as its converter lays them out: python make_gguf.py"""
import json
import math
import os

import gguf
import numpy as np
from safetensors.torch import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
ARCH = dict(llama="LLAMA", mistral="LLAMA", qwen2="QWEN2", gemma2="GEMMA2", gemma3_text="GEMMA3", gpt2="GPT2", gpt_neox="GPTNEOX", bloom="BLOOM", phi3="PHI3")
CASES = ["llama-lm", "llama-llama3", "mistral-lm", "qwen2-lm", "gemma2-lm", "gemma3-lm", "gpt2-lm", "neox-lm-old", "bloom-lm", "phi3-lm"]


def paired(w, heads):
    """Llama's rotation turns neighbours in GGUF."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def by_kind(w, heads):
    """Queries, keys and values head by head become all queries, all keys, all values."""
    return w.reshape(heads, 3, w.shape[0] // heads // 3, *w.shape[1:]).swapaxes(0, 1).reshape(w.shape)


def write(name):
    c = json.load(open(f"{HERE}/{name}/config.json"))
    kind = c["model_type"]
    get = lambda *keys: next((c[k] for k in keys if c.get(k) is not None), None)
    layers, hidden = get("num_hidden_layers", "n_layer"), get("hidden_size", "n_embd")
    heads = get("num_attention_heads", "n_head")
    kv, dim = get("num_key_value_heads") or heads, get("head_dim") or hidden // heads
    rope = c.get("rope_parameters") or c.get("rope_scaling") or {}
    rope = rope.get("full_attention", rope)
    theta = rope.get("rope_theta") or get("rope_theta", "rotary_emb_base") or 10000.0
    arch = getattr(gguf.MODEL_ARCH, ARCH[kind])
    w = gguf.GGUFWriter(f"{HERE}/gguf/{name}.gguf", gguf.MODEL_ARCH_NAMES[arch])
    w.add_name(name)
    w.add_context_length(get("max_position_embeddings", "n_positions", "seq_length") or 64)
    w.add_embedding_length(hidden)
    w.add_block_count(layers)
    w.add_feed_forward_length(get("intermediate_size", "n_inner") or 4 * hidden)
    w.add_head_count(heads)
    if kind in ("gpt2", "gpt_neox", "bloom"):
        w.add_layer_norm_eps(get("layer_norm_epsilon", "layer_norm_eps"))
    else:
        w.add_layer_norm_rms_eps(c["rms_norm_eps"])
        w.add_head_count_kv(kv)
        w.add_key_length(dim)
        w.add_value_length(dim)
    if kind == "gpt_neox":
        w.add_parallel_residual(c.get("use_parallel_residual", True))
        turned = int(dim * (get("rotary_pct") or rope.get("partial_rotary_factor", 0.25)))
        w.add_rope_dimension_count(turned)
        w.add_rope_freq_base(theta)
    elif kind not in ("gpt2", "bloom"):
        turned = int(dim * (get("partial_rotary_factor") or rope.get("partial_rotary_factor", 1)))
        w.add_rope_dimension_count(turned)
        w.add_rope_freq_base(theta)
        if c.get("sliding_window") and kind != "qwen2":
            w.add_sliding_window(c["sliding_window"])
    if kind == "gemma3_text":
        w.add_float32("gemma3.rope.freq_base_swa", c["rope_parameters"]["sliding_attention"]["rope_theta"])
        w.add_uint32("gemma3.attention.sliding_window_pattern", c["layer_types"].index("full_attention") + 1 if "full_attention" in c["layer_types"] else 99)
    for key, add in (("attn_logit_softcapping", w.add_attn_logit_softcapping), ("final_logit_softcapping", w.add_final_logit_softcapping)):
        if c.get(key):
            add(c[key])
    if c.get("query_pre_attn_scalar"):
        w.add_float32(gguf.MODEL_ARCH_NAMES[arch] + ".attention.scale", c["query_pre_attn_scalar"] ** -0.5)
    tensors = {}
    if rope.get("rope_type") == "llama3":
        divisors = []
        for i in range(0, dim, 2):
            wave = 2 * math.pi * theta ** (i / dim)
            low, high = rope["original_max_position_embeddings"] / rope["low_freq_factor"], rope["original_max_position_embeddings"] / rope["high_freq_factor"]
            smooth = (rope["original_max_position_embeddings"] / wave - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            divisors.append(1 if wave < high else rope["factor"] if wave > low else 1 / ((1 - smooth) / rope["factor"] + smooth))
        tensors["rope_freqs.weight"] = np.array(divisors, np.float32)
    if rope.get("rope_type") == "longrope":
        trained = get("original_max_position_embeddings") or rope["original_max_position_embeddings"]
        scale = c["max_position_embeddings"] / trained
        w.add_rope_scaling_orig_ctx_len(trained)
        w.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(trained)) if scale > 1 else 1.0)
        tensors["rope_factors_long.weight"] = np.array(rope["long_factor"], np.float32)
        tensors["rope_factors_short.weight"] = np.array(rope["short_factor"], np.float32)
    if rope.get("rope_type") == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(rope["factor"])
    names = gguf.get_tensor_name_map(arch, layers)
    for theirs, t in load_file(f"{HERE}/{name}/model.safetensors").items():
        x = t.float().numpy()
        base = theirs.removeprefix("transformer.") if kind == "bloom" else theirs
        if base == "lm_head.weight" and c.get("tie_word_embeddings", kind in ("gpt2", "bloom")):
            continue
        ours = names.get_name(base, try_suffixes=(".weight", ".bias"))
        if kind in ("llama", "mistral") and ".attn_q." in ours:
            x = paired(x, heads)
        elif kind in ("llama", "mistral") and ".attn_k." in ours:
            x = paired(x, kv)
        elif kind in ("gpt_neox", "bloom") and ".attn_qkv." in ours:
            x = by_kind(x, heads)
        elif kind == "gpt2" and x.ndim == 2 and ours.startswith("blk"):
            x = x.T
        elif kind.startswith("gemma") and ours.endswith("norm.weight"):
            x = x + 1
        matrix = x.ndim == 2 and not ours.startswith("position_embd")
        tensors[ours] = np.ascontiguousarray(x, np.float16 if matrix else np.float32)
    for ours in sorted(tensors):
        w.add_tensor(ours, tensors[ours])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    os.makedirs(f"{HERE}/gguf", exist_ok=True)
    for name in CASES:
        write(name)
