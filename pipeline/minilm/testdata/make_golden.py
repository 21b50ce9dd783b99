"""make_golden.py DIR: golden.safetensors, the float32 vectors that the published checkpoint in DIR makes of every 40th
line of ../../testdata/sentences.txt: transformers, mean over the tokens, normalised, at most 256 tokens. As float16,
which is closer than int8 weights can be. Needs torch, transformers, safetensors (model/testdata/requirements.txt)."""
import pathlib, sys, torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

here = pathlib.Path(__file__).parent
lines = (here / "../../testdata/sentences.txt").read_text(encoding="utf-8").split("\n")[:1000:40]
tokenizer, model = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModel.from_pretrained(sys.argv[1]).eval()
rows = []
with torch.no_grad():
    for line in lines:
        hidden = model(**tokenizer(line, truncation=True, max_length=256, return_tensors="pt")).last_hidden_state[0]
        rows.append(torch.nn.functional.normalize(hidden.mean(0), dim=0))
save_file({"embeddings": torch.stack(rows).to(torch.float16)}, here / "golden.safetensors")
