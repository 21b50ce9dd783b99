"""Makes python.safetensors: one tensor of every dtype that the Python package
writes, with the values 0..3 where the type has them, a scalar, an empty tensor
and a name beyond ASCII. Needs safetensors 0.8, torch and numpy."""

import os

import numpy as np
import safetensors
import torch

here = os.path.dirname(os.path.abspath(__file__))
counting = "bool uint8 int8 int16 uint16 int32 uint32 int64 uint64 float16 bfloat16 float32 float64 complex64"
patterns = "float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2"

arrays = {}
for name in counting.split():
    tensor = torch.arange(4).to(getattr(torch, name)).reshape(2, 2)
    arrays[name] = (name, [2, 2], tensor.view(torch.uint8).numpy().tobytes())
for name in patterns.split():
    arrays[name] = (name, [2, 2], bytes(range(4)))
arrays["scalar"] = ("float32", [], np.float32(-1.5).tobytes())
arrays["empty"] = ("int64", [3, 0], b"")
arrays["größe \"<&>\" \\ 頭"] = ("float32", [1], np.float32(2).tobytes())
arrays["floats"] = ("float32", [5], np.array([0.1, -0.0, np.inf, -np.inf, 1e-45], np.float32).tobytes())
arrays["halves"] = ("float16", [5], np.array([0.1, -0.0, np.inf, -np.inf, 6e-8], np.float16).tobytes())

keep = {k: np.frombuffer(b or b"\0", np.uint8) for k, (_, _, b) in arrays.items()}
specs = {
    k: safetensors.TensorSpec(dtype=d, shape=s, data_ptr=keep[k].ctypes.data, data_len=len(b))
    for k, (d, s, b) in arrays.items()
}
safetensors.serialize_file(specs, os.path.join(here, "python.safetensors"), {"format": "pt"})
