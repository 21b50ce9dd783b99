#!/usr/bin/env python3
"""export_onnx.py MODEL_DIR OUT_DIR: MiniLM for ONNX Runtime and OpenVINO.

Writes model.onnx (float32), fused.onnx (float32, after ONNX Runtime's own transformer fusions), int8.onnx and
fused_int8.onnx (dynamic quantisation, a scale for each output channel). The graph adds the attention mask once, as one
term, and holds nothing that its runtimes have no fast path for: of the exports tried, the fastest for them.
"""
import math
import pathlib
import sys
import warnings

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from transformers import AutoModel

NAMES = ["input_ids", "attention_mask", "token_type_ids"]


class Encoder(torch.nn.Module):
    """The forward pass of a BertModel up to last_hidden_state, in plain operations."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert
        self.heads = bert.config.num_attention_heads

    def split(self, x):
        batch, seq, hidden = x.shape
        return x.view(batch, seq, self.heads, hidden // self.heads).transpose(1, 2)

    def forward(self, input_ids, attention_mask, token_type_ids):
        emb = self.bert.embeddings
        position_ids = torch.cumsum(torch.ones_like(input_ids), dim=1) - 1
        x = emb.LayerNorm(emb.word_embeddings(input_ids) + emb.token_type_embeddings(token_type_ids)
                          + emb.position_embeddings(position_ids))
        hidden = (attention_mask[:, None, None, :].float() - 1.0) * 1e9
        for layer in self.bert.encoder.layer:
            att = layer.attention.self
            q, k, v = self.split(att.query(x)), self.split(att.key(x)), self.split(att.value(x))
            p = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + hidden).softmax(-1)
            o = (p @ v).transpose(1, 2).reshape(x.shape)
            x = layer.attention.output.LayerNorm(layer.attention.output.dense(o) + x)
            f = torch.nn.functional.gelu(layer.intermediate.dense(x))
            x = layer.output.LayerNorm(layer.output.dense(f) + x)
        return x


def main(model_dir, out_dir):
    out = pathlib.Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    bert = AutoModel.from_pretrained(model_dir, attn_implementation="eager").eval()
    encoder = Encoder(bert).eval()
    ids = torch.randint(1000, 20000, (2, 16))
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0
    feed = (ids, mask, torch.zeros_like(ids))
    with torch.no_grad():
        diff = (encoder(*feed) - bert(*feed).last_hidden_state)[mask == 1].abs().max()
    if not diff < 1e-4:
        sys.exit(f"export_onnx.py: the exported graph differs from the model by {diff}")
    warnings.simplefilter("ignore")
    torch.onnx.export(encoder, feed, str(out / "model.onnx"), input_names=NAMES, output_names=["last_hidden_state"],
                      dynamic_axes={n: {0: "batch", 1: "seq"} for n in [*NAMES, "last_hidden_state"]},
                      opset_version=14, dynamo=False)
    c = bert.config
    fused = optimizer.optimize_model(str(out / "model.onnx"), model_type="bert", num_heads=c.num_attention_heads, hidden_size=c.hidden_size)
    fused.save_model_to_file(str(out / "fused.onnx"))
    for name in ("model", "fused"):
        quantised = out / ("int8.onnx" if name == "model" else "fused_int8.onnx")
        quantize_dynamic(out / f"{name}.onnx", quantised, weight_type=QuantType.QInt8, per_channel=True,
                         extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})  # fused nodes hide the types from it


if __name__ == "__main__":
    main(*sys.argv[1:3])
