#!/usr/bin/env python3
"""random_llama.py FILE: a Llama with random weights, wide enough for K-quants (hidden 2048, 4 layers), as GGUF in float32."""
import sys

import gguf
import numpy as np

HIDDEN, LAYERS, VOCAB, FFN, HEADS, KV_HEADS = 2048, 4, 32000, 5632, 32, 8
rng = np.random.default_rng(0)
w = gguf.GGUFWriter(sys.argv[1], "llama")
w.add_context_length(2048)
w.add_embedding_length(HIDDEN)
w.add_block_count(LAYERS)
w.add_feed_forward_length(FFN)
w.add_head_count(HEADS)
w.add_head_count_kv(KV_HEADS)
w.add_layer_norm_rms_eps(1e-5)
w.add_rope_dimension_count(HIDDEN // HEADS)
w.add_vocab_size(VOCAB)
w.add_tokenizer_model("llama")
w.add_token_list([b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)] + [b"tok%d" % i for i in range(VOCAB - 259)])
w.add_token_scores([0.0] * VOCAB)
w.add_token_types([2, 3, 3] + [6] * 256 + [1] * (VOCAB - 259))
w.add_bos_token_id(1)
w.add_eos_token_id(2)
w.add_unk_token_id(0)


def matrix(name, *shape):
    w.add_tensor(name + ".weight", rng.standard_normal(shape, dtype=np.float32) * 0.03)


def norm(name):
    w.add_tensor(name + ".weight", np.ones(HIDDEN, np.float32))


matrix("token_embd", VOCAB, HIDDEN)
norm("output_norm")
matrix("output", VOCAB, HIDDEN)
for i in range(LAYERS):
    p = f"blk.{i}."
    norm(p + "attn_norm")
    norm(p + "ffn_norm")
    kv = HIDDEN // HEADS * KV_HEADS
    for name, n, k in [("attn_q", HIDDEN, HIDDEN), ("attn_k", kv, HIDDEN), ("attn_v", kv, HIDDEN), ("attn_output", HIDDEN, HIDDEN),
                       ("ffn_gate", FFN, HIDDEN), ("ffn_up", FFN, HIDDEN), ("ffn_down", HIDDEN, FFN)]:
        matrix(p + name, n, k)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
