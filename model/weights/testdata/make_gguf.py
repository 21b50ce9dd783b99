"""Makes the GGUF files beside it with Python's gguf 0.19 and numpy.

types.gguf          metadata of every kind and a tensor of every type that is read: blocks of
                    random bytes, with scales that are ordinary numbers
types.safetensors   the same tensors as float32, as gguf.quants dequantises them
quantize.gguf       numbers ("source") and what gguf.quants makes of them, in the types that it
                    can quantise
split-*.gguf        four tensors in three parts
"""

import os

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

here = os.path.dirname(os.path.abspath(__file__))
T = gguf.GGMLQuantizationType
random = np.random.default_rng(7)
ROWS, COLUMNS = 3, 512

# Where a block's binary16 scales are.
SCALES = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}


def blocks(t):
    elements, size = gguf.GGML_QUANT_SIZES[t]
    data = random.integers(0, 256, (ROWS * COLUMNS // elements, size), dtype=np.uint8)
    for at in SCALES[t]:
        scale = random.normal(0, 0.02, len(data)).astype(np.float16)
        scale[:3] = [0, -0.5, 6e-8]
        data[:, at : at + 2] = scale.view(np.uint8).reshape(-1, 2)
    return data.reshape(ROWS, -1)


def types():
    w = gguf.GGUFWriter(os.path.join(here, "types.gguf"), "llama")
    w.add_uint8("kind.uint8", 200)
    w.add_int8("kind.int8", -100)
    w.add_uint16("kind.uint16", 60000)
    w.add_int16("kind.int16", -30000)
    w.add_uint32("kind.uint32", 4000000000)
    w.add_int32("kind.int32", -2000000000)
    w.add_float32("kind.float32", 0.1)
    w.add_bool("kind.bool", True)
    w.add_string("kind.string", "größe \"頭\"")
    w.add_uint64("kind.uint64", 1 << 63)
    w.add_int64("kind.int64", -(1 << 62))
    w.add_float64("kind.float64", 0.1)
    w.add_array("array.strings", ["", "a", "größe"])
    w.add_array("array.ints", [1, -2, 3])
    w.add_array("array.floats", [0.5, -1.5])
    w.add_array("array.bools", [True, False, True])
    values = {}
    normal = random.normal(0, 1, (ROWS, COLUMNS)).astype(np.float32)
    w.add_tensor("F32", normal)
    values["F32"] = normal
    w.add_tensor("F16", normal.astype(np.float16))
    values["F16"] = normal.astype(np.float16).astype(np.float32)
    bf16 = quantize(normal, T.BF16)
    w.add_tensor("BF16", bf16, raw_dtype=T.BF16)
    values["BF16"] = dequantize(bf16, T.BF16)
    for t in SCALES:
        data = blocks(t)
        w.add_tensor(t.name, data, raw_dtype=t)
        values[t.name] = dequantize(data, t)
    cube = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    w.add_tensor("cube", cube)
    values["cube"] = cube
    finish(w)
    values = {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in values.items()}
    save_file(values, os.path.join(here, "types.safetensors"))
    os.chmod(os.path.join(here, "types.safetensors"), 0o644)


def quantized():
    rows = [random.normal(0, s, 256) for s in (1, 1e-3, 300)]
    rows.append(np.zeros(256))
    rows.append(np.full(256, -0.7))
    rows.append(np.tile([1, -1, 0.5, -0.5], 64))
    rows.append(np.linspace(-8.5, 7.5, 256))
    rows.append(np.linspace(0, 127, 256))
    rows.append(random.normal(0, 1e-7, 256))
    source = np.array(rows, dtype=np.float32)
    w = gguf.GGUFWriter(os.path.join(here, "quantize.gguf"), "llama")
    w.add_tensor("source", source)
    for t in (T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1):
        w.add_tensor(t.name, quantize(source, t), raw_dtype=t)
    w.add_tensor("F16", source.astype(np.float16))
    finish(w)


def split():
    w = gguf.GGUFWriter(os.path.join(here, "split.gguf"), "llama", split_max_tensors=2, small_first_shard=True)
    for i in range(4):
        w.add_tensor(f"t{i}", np.full(5, i, dtype=np.float32))
    finish(w)


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


types()
quantized()
split()
