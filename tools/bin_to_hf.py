#!/usr/bin/env python3
"""Copy a Hugging Face folder with pytorch_model.bin into one with model.safetensors, which is what Ladon reads.

    python tools/bin_to_hf.py DIR OUT [--check N]

With --check, transformers' answers to N rows of random ids go to OUT/check.safetensors, with which TestRealModels of package
pipeline compares.
"""
import argparse
import json
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import save_file


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir", type=pathlib.Path)
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--check", type=int, default=0, metavar="N")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for f in a.dir.iterdir():
        if f.is_file() and f.suffix in (".json", ".txt", ".model"):
            shutil.copy(f, a.out / f.name)
    state = torch.load(a.dir / "pytorch_model.bin", map_location="cpu", weights_only=True)
    save_file({k: v.clone().contiguous() for k, v in state.items()}, a.out / "model.safetensors", metadata={"format": "pt"})
    if not a.check:
        return
    config = json.loads((a.out / "config.json").read_text())
    model = getattr(transformers, config["architectures"][0]).from_pretrained(a.out, attn_implementation="eager").eval()
    tensors, gen = {}, torch.Generator().manual_seed(1)
    for i in range(a.check):
        ids = torch.randint(1, config["vocab_size"], (1, 3 + 19 * i), generator=gen)
        with torch.no_grad():
            tensors |= {f"{i}.input_ids": ids, f"{i}.exact": model(ids).logits}
    save_file(tensors, a.out / "check.safetensors")


if __name__ == "__main__":
    main()
