#!/usr/bin/env python3
"""Make headmask/*.safetensors: what transformers 4 gives for a head_mask on checkpoints of this folder (5 no longer takes one).

Run from the repository root with transformers 4.49 and torch:

    python model/testdata/make_headmask.py

Tensors in.* are arguments of forward, out.* its results, computed in float64.
"""
import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

HERE = pathlib.Path(__file__).parent
MASKS = {
    "layers": torch.tensor([[1, 0.5, -2, 1], [0, 1, 0, 0.25]]),
    "heads": torch.tensor([1, 0, 0.5, 0]),
}

for name in ("bert-model", "distilbert-model"):
    model = AutoModel.from_pretrained(HERE / name, torch_dtype=torch.float64, attn_implementation="eager").eval()
    inputs = load_file(HERE / name / "in.safetensors")
    for kind, mask in MASKS.items():
        with torch.no_grad():
            r = model(**inputs, head_mask=mask.double(), output_attentions=True, return_dict=True)
        seen = inputs["attention_mask"] != 0
        out = {"last_hidden_state": r.last_hidden_state * seen[..., None]}
        for i, a in enumerate(r.attentions):
            out[f"attentions.{i}"] = a * (seen[:, None, :, None] & seen[:, None, None, :])
        tensors = {f"in.{k}": v for k, v in {**inputs, "head_mask": mask.float()}.items()}
        tensors |= {f"out.{k}": v.float().contiguous() for k, v in out.items()}
        save_file(tensors, HERE / "headmask" / f"{name}-{kind}.safetensors")
