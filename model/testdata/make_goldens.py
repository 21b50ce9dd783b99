#!/usr/bin/env python3
"""Make the golden checkpoints of this folder: tiny models with random weights, inputs, and Hugging Face's answers.

Run from the repository root, in an environment that has the packages of requirements.txt beside this file:

    python model/testdata/make_goldens.py            # all of them
    python model/testdata/make_goldens.py bert-qa    # those whose names start so

Each folder holds config.json and safetensors as save_pretrained writes them, in.safetensors (tensors named as the
arguments of Hugging Face's forward), out.safetensors (float32, named as its outputs) and golden.json. README.md beside
this file says what the tests may rely on. Seeds are fixed: the same versions of the packages give the same files.
"""
import contextlib
import json
import pathlib
import shutil
import sys
import zlib

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_torch, save_file as save_torch
from transformers import BertConfig, DistilBertConfig

sys.dont_write_bytecode = True
import crossmodal  # noqa: E402
import decoders  # noqa: E402
import kin  # noqa: E402
import seq2seq  # noqa: E402
import vision  # noqa: E402
import xlnet  # noqa: E402
from cases import CASES, Part  # noqa: E402

HERE = pathlib.Path(__file__).parent
MODULES = {"decoder": decoders, "kin": kin, "vision": vision, "crossmodal": crossmodal, "xlnet": xlnet, "seq2seq": seq2seq}
ORDERS = 8  # how many orders of summation the float32 error is the maximum of


def generator(name):
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def config_of(case):
    """The config object of a case: the small shape, overridden by what the case says."""
    if case.family in MODULES:
        name, shape = next(v for k, v in MODULES[case.family].FAMILIES.items() if case.arch.startswith(k))
        return getattr(transformers, name)(**{**shape, **case.config})
    if case.family == "bert":
        shape = dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=1,
                     vocab_size=61, max_position_embeddings=24, type_vocab_size=2)
        return BertConfig(**{**shape, **case.config})
    shape = dict(dim=20, n_heads=4, hidden_dim=37, n_layers=1, vocab_size=61, max_position_embeddings=24)
    return DistilBertConfig(**{**shape, **case.config})


def fill(model, gen):
    """Weights like trained ones: sharp attention, LayerNorms away from 1 and 0, one channel that stands out."""
    def normal(p, std, mean=0.0):
        p.copy_(mean + std * torch.randn(p.shape, generator=gen))

    for name, p in model.named_parameters():
        if name == "waves":  # no file has them
            continue
        leaf = ("." + name).rsplit(".", 2)
        norm = "norm" in name.lower() or ".ln_" in name
        if norm and name.endswith("weight"):
            normal(p, 0.3, 0.0 if "Gemma" in type(model).__name__ else 1.0)
            p[int(torch.randint(p.numel(), (1,), generator=gen))] *= 4
        elif norm:
            normal(p, 0.2)
        elif p.dim() == 0:  # the logarithm of a scale
            normal(p, 0.3, 2.0)
        elif leaf[-2] in ("projection", "patch_embedding") and p.dim() > 1:  # of patches
            normal(p, 1.2 / p[0].numel() ** 0.5)
        elif "embed" in name or leaf[-2] in ("wte", "wpe", "shared"):
            normal(p, 0.7)
        elif p.dim() == 1:
            normal(p, 0.3)
        else:
            sharp = 1.8 if leaf[-2] in ("query", "key", "q_lin", "k_lin", "q_proj", "k_proj") else 1.2
            inputs = p.shape[0] if leaf[-2] in ("c_attn", "c_proj", "c_fc", "rel_attn") else p.shape[1]
            normal(p, sharp / inputs ** 0.5)


def train(model, gen):
    """A little training on one text: an untrained model with tied embeddings repeats one token."""
    text = torch.randint(1, model.config.vocab_size, (1, 40), generator=gen)
    text[0, 20:] = text[0, :20]  # so that it can go on for long
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(model(text).logits[0, :-1], text[0, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def greedy(model, prompt, n=24):
    """The tokens that generate() chooses; None if one was a close call, or they repeat a few."""
    r = model.generate(torch.tensor([prompt]), max_new_tokens=n, do_sample=False, num_beams=1, eos_token_id=None, pad_token_id=0,
                       output_scores=True, return_dict_in_generate=True)
    tokens = r.sequences[0, len(prompt):].tolist()
    gaps = [float(s[0].topk(2).values.diff().abs()) for s in r.scores]
    good = len(tokens) == n and len(set(tokens)) > 5 and min(gaps) > 1e-2
    return {"prompt": prompt, "tokens": tokens} if good else None


def axes(name, case):
    """Which permutation each axis of a parameter follows: h(idden), a(ttention), f(fn) or None."""
    if case.family in MODULES:
        return MODULES[case.family].axes(name, case)
    n = name.removesuffix(".weight").removesuffix(".bias").rsplit(".", 1)[-1]
    inner = name.rsplit(".", 3)
    if "norm" in n.lower():
        return ("h",)
    if "embeddings" in n:
        return (None, "h")
    if n in ("query", "key", "value", "q_lin", "k_lin", "v_lin"):
        return ("a", "h")
    if n == "out_lin" or ".attention.output.dense" in name:
        return ("h", "a")
    if n == "lin1" or ".intermediate.dense" in name:
        return ("f", "h")
    if n == "lin2" or (inner[-3:-1] == ["output", "dense"]):
        return ("h", "f")
    if n in ("vocab_transform",) or ".transform.dense" in name:
        return ("h", "h")
    if n == "pre_classifier" or ".pooler.dense" in name or name.startswith("pooler.dense"):
        return (None, "h")
    if n in ("decoder", "vocab_projector", "qa_outputs"):
        return (None, "h")
    if n == "classifier":
        return (None, "h" if case.arch.endswith("TokenClassification") else None)
    return (None,) * 2


def reorder(model, case, seed):
    """Rename hidden, attention and feed-forward channels in place: the same function, summed in another order.

    Returns the permutation of the hidden channels, by the beginning of the outputs' names that have those channels.
    """
    gen = torch.Generator().manual_seed(seed)
    perms = [(part, permutations(part.config, gen)) for part in parts(model, case)]
    with torch.no_grad():
        for name, p in model.named_parameters():
            perm = next((perm for part, perm in perms if name.startswith(part.parameters)), None)
            for axis, which in enumerate(axes(name, case)[: p.dim()]):
                if which:
                    order = perm[which]
                    if p.shape[axis] == 2 * len(order):  # two states beside each other
                        order = torch.cat([order, order + len(order)])
                    if p.shape[axis] != len(order):  # of another width: before or after a projection
                        continue
                    p.copy_(p.index_select(axis, order))
    return {part.outputs: perm["h"] for part, perm in perms}


def parts(model, case):
    """The parts of a model that have channels of their own: most have one."""
    module = MODULES.get(case.family)
    return module.parts(model.config) if hasattr(module, "parts") else [Part("", model.config, "")]


def permutations(c, gen):
    """A permutation for every kind of channel that a config has."""
    hidden, heads = c.hidden_size, c.num_attention_heads
    sizes = (getattr(c, k, None) for k in ("intermediate_size", "hidden_dim", "n_inner", "ffn_dim", "d_ff", "encoder_ffn_dim", "dim_feedforward", "d_inner"))
    ffn = next((n for n in sizes if n), 4 * hidden)
    dim = hidden // heads
    return {
        "h": torch.randperm(hidden, generator=gen),
        "f": torch.randperm(ffn, generator=gen),
        "a": torch.cat([torch.randperm(dim, generator=gen) + i * dim for i in range(heads)]),
        "g": torch.randperm(getattr(c, "decoder_ffn_dim", 0), generator=gen),
    }


def outputs_of(model, case, inputs, perm=None):
    """Every output of a forward pass by the names of the command's contract, as numpy arrays."""
    if case.family == "seq2seq" or case.arch == "VisionEncoderDecoderModel":
        return seq2seq.outputs(model, case, inputs, perm)
    if case.family == "xlnet":
        return xlnet.outputs(model, case, inputs, perm)
    feed = {k: torch.from_numpy(v) for k, v in inputs.items()}
    for k, v in feed.items():
        if k != "attention_mask" and v.dtype in (torch.int32,):
            feed[k] = v.long()
        if k == "pixel_values":
            feed[k] = v.to(next(model.parameters()).dtype)
    with torch.no_grad():
        r = model(**feed, output_hidden_states=True, output_attentions=case.attentions, return_dict=True)
    out = {k: getattr(r, k) for k in TOGETHER if hasattr(r, k)}
    of = {part: getattr(r, part[:-1]) for part in ("text_model_output.", "vision_model_output.") if hasattr(r, part[:-1])}
    for part, o in (of or {"": r}).items():
        out.update({part + k: v for k, v in outputs_of_part(o, case).items()})
    if perm is not None:
        back = {part: torch.argsort(p) for part, p in perm.items()}
        for k, v in out.items():
            part = next((part for part in back if k.startswith(part)), None)
            if part is not None and ("hidden_state" in k or k in case.states) and v.shape[-1] == len(back[part]):
                out[k] = v[..., back[part]]
    return {k: v.numpy() if k in pooled(case) else mask_out(k, v.numpy(), inputs) for k, v in out.items()}


# What a model of two parts gives beside what each does.
TOGETHER = ("logits_per_image", "logits_per_text", "text_embeds", "image_embeds")


def outputs_of_part(r, case):
    """The outputs of a model, or of one of its two parts."""
    out = {}
    for k in ("last_hidden_state", "pooler_output", "logits", "start_logits", "end_logits", "prediction_logits",
              "mc_logits", "seq_relationship_logits", "sop_logits", "cls_logits", "distillation_logits", "pred_boxes"):
        v = getattr(r, k, None)
        if v is not None and not (k == "pooler_output" and case.drop_pooler):
            out[k] = v
    if not case.choices and case.family not in ("vision", "crossmodal"):
        out["last_hidden_state"] = r.hidden_states[-1]
    if case.hidden_states:
        out.update({f"hidden_states.{i}": v for i, v in enumerate(r.hidden_states)})
    if case.attentions:
        out.update({f"attentions.{i}": v for i, v in enumerate(r.attentions)})
    return out


def pooled(case):
    """The outputs that have no axis of positions."""
    whole = any(a in case.arch for a in ("SequenceClassification", "NextSentence", "MultipleChoice"))
    return {"pooler_output", "mc_logits", "seq_relationship_logits", "sop_logits", "text_model_output.pooler_output", *TOGETHER} | ({"logits"} if whole else set())


def mask_out(name, v, inputs):
    """Zeros where attention_mask excludes a position: there nothing is compared, and zeros are what is to be written."""
    mask = inputs.get("attention_mask")
    if mask is not None and mask.ndim == 3 and v.ndim == 4:  # of choices
        return v * (mask != 0)[..., None]
    if mask is None or mask.ndim != 2:
        return v
    mask = mask != 0
    if name.startswith("vision_model_output."):
        return v
    if "attentions." in name:
        return np.where(mask[:, None, :, None] & mask[:, None, None, :], v, 0)
    assert v.shape[:2] == mask.shape, name
    return np.where(mask.reshape(mask.shape + (1,) * (v.ndim - 2)), v, 0)


def load(case, folder, dtype):
    cls = getattr(transformers, case.arch)
    model, info = cls.from_pretrained(folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
    missing = [k for k in info["missing_keys"] if not (case.drop_pooler and "pooler" in k)]
    assert not missing, (case.name, missing)
    return model.to(dtype).eval()  # XLNet loads some as float32 whatever is asked for


@contextlib.contextmanager
def exact():
    """Keeps float64 where modules round to float32 on the way: norms and softmax."""
    to, soft = torch.Tensor.to, torch.nn.functional.softmax

    def keep(x, *args, **kwargs):
        if x.dtype == torch.float64 and (args[:1] == (torch.float32,) or kwargs.get("dtype") == torch.float32):
            return x
        return to(x, *args, **kwargs)

    torch.Tensor.to = keep
    torch.Tensor.float = lambda x: keep(x, torch.float32)
    torch.nn.functional.softmax = lambda x, dim=None, dtype=None, **kw: soft(x, dim=dim, dtype=x.dtype if x.dtype == torch.float64 else dtype)
    try:
        yield
    finally:
        torch.Tensor.to, torch.nn.functional.softmax = to, soft
        del torch.Tensor.float


def store(model, case, folder):
    """The checkpoint as save_pretrained writes it, then what the case does to it."""
    model.save_pretrained(folder, **({"max_shard_size": case.shard} if case.shard else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    conf = json.loads((folder / "config.json").read_text())
    if case.edit_config:
        case.edit_config(conf)
    conf["architectures"] = [case.arch]
    (folder / "config.json").write_text(json.dumps(conf, indent=1, sort_keys=True) + "\n")
    file = folder / "model.safetensors"
    if not case.edit_weights and not case.drop_pooler:
        return
    w = load_torch(file)
    if case.drop_pooler:
        w = {k: v for k, v in w.items() if "pooler" not in k}
    if case.edit_weights:
        w = case.edit_weights(w)
    save_torch(w, file, metadata={"format": "pt"})


def make(case):
    folder = HERE / case.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    gen = generator(case.name)
    conf = config_of(case)
    inputs = case.inputs(np.random.default_rng(zlib.crc32(case.name.encode())), conf)
    model = getattr(transformers, case.arch)(conf).eval()
    chosen = None
    while True:
        with torch.no_grad():
            fill(model, gen)
        if case.greedy:
            train(model, gen)
        if case.writes:
            pixels = torch.from_numpy(inputs["pixel_values"])
            crossmodal.train(model, gen, pixels)
        if case.generates:
            sources = seq2seq.train(model, gen)
        store(model.to(case.dtype), case, folder)
        model.float()
        oracle = load(case, folder, torch.float64)
        if case.writes:
            if wrote := crossmodal.written(oracle, pixels):
                break
            continue
        if case.generates:
            if wrote := seq2seq.generated(oracle, sources):
                break
            continue
        if not case.greedy or (chosen := greedy(oracle, inputs["input_ids"][0][:5].tolist())):
            break
    with exact():
        want = outputs_of(oracle, case, inputs)
    assert all(np.isfinite(v).all() for v in want.values()), case.name
    error = {k: 0.0 for k in want}
    for order in range(ORDERS):
        naive = load(case, folder, torch.float32)
        perm = reorder(naive, case, order) if order else None
        got = outputs_of(naive, case, inputs, perm)
        for k, v in want.items():
            error[k] = max(error[k], float(np.abs(got[k] - v).max()))
    about = {
        "about": case.about,
        "attentions": case.attentions,
        "hidden_states": case.hidden_states,
        "outputs": {k: {"max_abs": float(f"{np.abs(v).max():.6g}"), "float32_error": float(f"{error[k]:.4g}")}
                    for k, v in sorted(want.items())},
    }
    if chosen:
        about["greedy"] = chosen
    if case.generates:
        about["generates"] = wrote
    if case.writes:
        about["writes"] = wrote
    worst = max(error[k] / max(np.abs(v).max(), 1e-6) for k, v in want.items())
    assert worst < 1e-4, (case.name, worst)  # a wrong permutation would be off by whole units
    (folder / "golden.json").write_text(json.dumps(about, indent=1) + "\n")
    save_file(inputs, folder / "in.safetensors")
    save_file({k: np.ascontiguousarray(v.astype(np.float32)) for k, v in want.items()}, folder / "out.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{case.name:32s} {size/1024:6.1f} KB  relative float32 error {worst:.1e}", flush=True)


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    chosen = sys.argv[1:] or [""]
    for case in CASES + decoders.CASES + kin.CASES + vision.CASES + crossmodal.CASES + xlnet.CASES + seq2seq.CASES:
        if any(case.name.startswith(c) for c in chosen):
            make(case)


if __name__ == "__main__":
    main()
