"""Writes blocks.golden: for each format 512 random elements as a file stores them, then the same as float32 by the package gguf."""
import sys
import numpy as np
from gguf import GGMLQuantizationType as T, quants
from gguf.constants import GGML_QUANT_SIZES

rng = np.random.default_rng(7)
n = 512
out = bytearray()
for t in (T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K, T.Q6_K):
    size, width = GGML_QUANT_SIZES[t]
    raw = rng.integers(0, 256, (n // size, width), dtype=np.uint8)
    half = lambda: rng.normal(0, 0.1, len(raw)).astype(np.float16).view(np.uint8).reshape(-1, 2)
    if t == T.F16:
        raw = half()
    elif t == T.BF16:
        raw = (rng.normal(0, 1, n).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8).reshape(-1, 2)
    elif t == T.Q6_K:
        raw[:, 208:210] = half()
    else:
        raw[:, 0:2] = half()
        if t in (T.Q4_1, T.Q5_1, T.Q4_K, T.Q5_K):
            raw[:, 2:4] = half()
    if t == T.F16:
        wide = raw.view(np.float16).astype(np.float32)
    else:
        wide = quants.dequantize(raw.reshape(1, -1), t)
    out += raw.tobytes() + wide.astype("<f4").tobytes()
open(sys.argv[1] if len(sys.argv) > 1 else "blocks.golden", "wb").write(out)
