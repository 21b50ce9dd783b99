"""Makes the goldens of attention, by torch in float64: python make_goldens.py

A file holds the inputs of `ladon mha` as in.NAME, its flags as metadata, and what torch gives as want.NAME.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(7)


def save(name, args, inputs, want):
    tensors = {"in." + k: v.contiguous() for k, v in inputs.items()}
    tensors |= {"want." + k: v.float().contiguous() for k, v in want.items()}
    save_file({k: v.clone() for k, v in tensors.items()}, name + ".safetensors", metadata={"args": args, "torch": torch.__version__})


def raw(name, b, h, kv, lq, lk, d, dv, args="", mask=None, bias=None, causal=False, scale=None):
    q, k, v = torch.randn(b, h, lq, d), torch.randn(b, kv, lk, d), torch.randn(b, kv, lk, dv)
    q64, k64, v64 = q.double(), k.double().repeat_interleave(h // kv, 1), v.double().repeat_interleave(h // kv, 1)
    add = torch.zeros(b, h, lq, lk, dtype=torch.float64)
    if causal:
        add = add.masked_fill(torch.ones(lq, lk).triu(1).bool(), -torch.inf)
    inputs = {"q": q, "k": k, "v": v}
    if mask is not None:
        add = add.masked_fill(mask.logical_not(), -torch.inf)
        inputs["mask"] = mask
    if bias is not None:
        add = add + bias.double()
        inputs["bias"] = bias
    out = F.scaled_dot_product_attention(q64, k64, v64, attn_mask=add, scale=scale)
    weights = torch.softmax(q64 @ k64.transpose(-1, -2) * (scale if scale is not None else d**-0.5) + add, -1)
    save(name, args, inputs, {"out": out.nan_to_num(0), "weights": weights.nan_to_num(0)})


def module(name, b, e, h, lq, lk, args="", kdim=None, vdim=None, kpm=None, mask=None, self_attention=False, **options):
    m = torch.nn.MultiheadAttention(e, h, batch_first=True, kdim=kdim, vdim=vdim, **options)
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(torch.randn_like(p) * 0.3)
    inputs = {"query": torch.randn(b, lq, e)}
    if not self_attention:
        inputs |= {"key": torch.randn(b, lk, kdim or e), "value": torch.randn(b, lk, vdim or e)}
    inputs |= {"param." + k: v for k, v in m.state_dict().items()}
    if kpm is not None:
        inputs["key_padding_mask"] = kpm
    if mask is not None:
        inputs["attn_mask"] = mask
    m = m.double()
    q = inputs["query"].double()
    k, v = (q, q) if self_attention else (inputs["key"].double(), inputs["value"].double())
    both = [x.double() if x is not None and x.is_floating_point() else x for x in (kpm, mask)]
    if "-causal" in args:
        both[1] = torch.ones(lq, lk).triu(1).bool()
    out, weights = m(q, k, v, key_padding_mask=both[0], attn_mask=both[1], need_weights=True, average_attn_weights=False)
    save(name, f"-heads {h} {args}", inputs, {"out": out.detach().nan_to_num(0), "weights": weights.detach().nan_to_num(0)})


raw("plain", 2, 3, 3, 5, 7, 8, 8)
raw("gqa-causal-long-keys", 1, 4, 2, 6, 19, 9, 5, "-causal", causal=True)
raw("causal-long-queries", 1, 2, 1, 21, 6, 16, 16, "-causal", causal=True)
raw("scale", 1, 2, 2, 4, 33, 7, 3, "-scale -0.3", scale=-0.3)
raw("one-query", 2, 4, 2, 1, 300, 5, 6)
raw("bias-heads", 2, 3, 3, 17, 18, 4, 4, bias=torch.randn(3, 17, 18))
raw("bias-keys", 2, 2, 2, 5, 6, 4, 4, bias=torch.randn(2, 1, 1, 6))
hidden = torch.rand(2, 1, 40, 35) < 0.6
hidden[0, 0, 3] = False
hidden[1, 0, 38] = False
raw("mask", 2, 2, 1, 40, 35, 6, 3, mask=hidden)
raw("mask-keys-bias-causal", 2, 2, 2, 9, 9, 8, 8, "-causal", causal=True, mask=(torch.rand(2, 1, 1, 9) < 0.5).to(torch.uint8) * 3, bias=torch.randn(9, 9))
raw("mask-all", 1, 2, 2, 3, 4, 4, 4, mask=torch.zeros(1, dtype=torch.bool))

module("mha-self", 2, 12, 3, 7, 7, self_attention=True)
module("mha-cross", 2, 12, 4, 5, 9)
module("mha-dims", 1, 10, 2, 4, 6, kdim=7, vdim=5)
module("mha-no-bias", 1, 8, 2, 4, 4, bias=False)
padding = torch.zeros(2, 9, dtype=torch.bool)
padding[0, 6:] = True
module("mha-padding", 2, 12, 3, 5, 9, kpm=padding)
padding = padding.clone()
padding[1] = True
module("mha-padding-all", 2, 12, 3, 5, 9, kpm=padding)
module("mha-mask", 1, 12, 3, 6, 5, mask=torch.ones(6, 5).triu(2).bool())
module("mha-mask-heads", 2, 12, 3, 6, 5, mask=torch.randn(6, 6, 5))
module("mha-both", 2, 12, 3, 6, 9, kpm=padding[:1].repeat(2, 1), mask=torch.ones(6, 9).triu(3).bool())
module("mha-causal", 1, 12, 3, 6, 6, "-causal")
module("mha-extra", 2, 12, 3, 6, 9, "-add-zero-attn", kpm=padding, add_bias_kv=True, add_zero_attn=True)
module("mha-extra-causal", 1, 12, 3, 6, 9, "-causal", add_bias_kv=True)
