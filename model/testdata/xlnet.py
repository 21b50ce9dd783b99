"""The cases of XLNet: relative attention, permutation masks, two streams, memory."""
import re

import numpy as np
import torch
from transformers.models.xlnet.modeling_xlnet import XLNetModel

from cases import H, Case, choices, holes, ids, labels, left, plain, ragged

FAMILIES = {"XLNet": ("XLNetConfig", dict(d_model=20, n_head=4, d_inner=37, n_layer=1, vocab_size=61, num_labels=2, mem_len=None))}

# Which channels the axes of a parameter follow: h(idden), f(eed-forward) or None.
AXES = [
    (r"rel_attn\.[qkvo]", ("h", None, None)),
    (r"layer_norm\.(weight|bias)", ("h",)),
    (r"layer_1\.weight", ("f", "h")),
    (r"layer_1\.bias", ("f",)),
    (r"layer_2\.weight", ("h", "f")),
    (r"layer_2\.bias", ("h",)),
    (r"mask_emb", (None, None, "h")),
    (r"(word_embedding|lm_loss|qa_outputs|classifier|sequence_summary\.summary|start_logits\.dense)\.weight", (None, "h")),
    (r"(end_logits|answer_class)\.dense_0\.weight", (None, "h")),
]


def axes(name, case):
    if name == "logits_proj.weight" and not case.config.get("summary_use_proj", True):
        return (None, "h")
    return next((which for pattern, which in AXES if re.search("(" + pattern + ")$", name)), (None, None))


# transformers computes the sinusoids in float32, and mixes them with float64 where there are two streams.
encoding = XLNetModel.relative_positional_encoding
XLNetModel.relative_positional_encoding = lambda self, *a, **k: encoding(self, *a, **k).to(self.dtype)

STATES = ("last_hidden_state", "hidden_states", "mems")
OUTPUTS = ("logits", "start_logits", "end_logits", "start_top_log_probs", "start_top_index", "end_top_log_probs", "end_top_index", "cls_logits")


def outputs(model, case, inputs, perm):
    """Every output by the names of the command's contract. With two streams transformers gives hidden_states as a flat tuple, the tokens' and
    the targets' by turns, and attentions as pairs, which are numbered likewise here."""
    perm = perm and perm[""]
    dtype = next(model.parameters()).dtype
    feed = {k: torch.from_numpy(v) for k, v in inputs.items()}
    feed = {k: v if k in ("input_ids", "token_type_ids", "cls_index") else v.to(dtype) for k, v in feed.items()}
    for k, v in feed.items():
        if perm is not None and (k.startswith("mems") or k == "inputs_embeds"):
            feed[k] = v[..., perm]
    mems = [feed.pop(f"mems.{i}") for i in range(case.config.get("n_layer", 1)) if f"mems.{i}" in feed]
    if mems:
        feed["mems"] = mems
    with torch.no_grad():
        r = model(**feed, output_hidden_states=True, output_attentions=case.attentions, return_dict=True)
    out = {k: getattr(r, k).to(dtype) for k in OUTPUTS if hasattr(r, k)}
    if not case.choices:
        out["last_hidden_state"] = r.hidden_states[-1]
    for name, wanted, values in ("hidden_states", case.hidden_states, r.hidden_states), ("attentions", case.attentions, r.attentions), ("mems", True, r.mems):
        for i, v in enumerate(values if wanted and values is not None else ()):
            out.update({f"{name}.{len(v) * i + j}": w for j, w in enumerate(v)} if isinstance(v, tuple) else {f"{name}.{i}": v})
    if perm is not None:
        out = {k: v[..., torch.argsort(perm)] if k.startswith(STATES) else v for k, v in out.items()}
    whole = case.arch.endswith(("Classification", "MultipleChoice")) and not case.arch.endswith("TokenClassification")
    return {k: v.numpy() if whole and k == "logits" or k.startswith(("mems", "cls", "start_top", "end_top")) else shown(v.numpy(), k, inputs) for k, v in out.items()}


def shown(v, name, inputs):
    """Zeros for tokens that a mask excludes; targets are none."""
    mask = inputs.get("attention_mask")
    if "input_mask" in inputs:
        mask = 1 - inputs["input_mask"]
    if mask is None or mask.ndim != 2:
        return v
    mask = mask != 0
    if name.startswith("attentions"):
        n = mask.shape[1]
        keys = np.concatenate([np.ones((mask.shape[0], v.shape[-1] - n), bool), mask], 1)
        return np.where(mask[:, None, :, None] & keys[:, None, None, :], v, 0)
    if v.shape[1] != mask.shape[1]:
        return v
    return np.where(mask.reshape(mask.shape + (1,) * (v.ndim - 2)), v, 0)


def segments(f, dtype=np.int64):
    """Two texts and a classifier's token at the end, whose segment is 2; padding is 3."""
    def g(rng, conf):
        out = f(rng, conf)
        mask = out.get("attention_mask", np.ones_like(out["input_ids"]))
        place = np.cumsum(mask, -1)
        length = place[..., -1:]
        out["token_type_ids"] = np.where(mask == 0, 3, np.where(place == length, 2, (place > length // 2).astype(np.int64)))
        return out
    return g


def orders(rng, batch, n):
    """Permutation masks: a token does not see those that come after it in an order, nor itself."""
    order = np.stack([rng.permutation(n) for _ in range(batch)])
    return (order[:, :, None] <= order[:, None, :]).astype(np.float32)


def permuted(f):
    def g(rng, conf):
        out = f(rng, conf)
        out["perm_mask"] = orders(rng, *out["input_ids"].shape)
        return out
    return g


def targets(f, *which, soft=False):
    """Targets at some places, in any order; soft ones are spread over several."""
    def g(rng, conf):
        out = f(rng, conf)
        batch, n = out["input_ids"].shape
        out["target_mapping"] = np.zeros((batch, len(which), n), np.float32)
        for i, at in enumerate(which):
            out["target_mapping"][:, i, at] = 1
        if soft:
            out["target_mapping"] = rng.random(out["target_mapping"].shape).astype(np.float32) * (rng.random(out["target_mapping"].shape) < .4)
        return out
    return g


def memory(f, n):
    def g(rng, conf):
        out = f(rng, conf)
        for i in range(conf.n_layer):
            out[f"mems.{i}"] = rng.standard_normal((n, out["input_ids"].shape[0], conf.d_model)).astype(np.float32)
        return out
    return g


def input_mask(f):
    def g(rng, conf):
        out = f(rng, conf)
        out["input_mask"] = 1 - out.pop("attention_mask")
        return out
    return g


def embeds(f):
    def g(rng, conf):
        out = f(rng, conf)
        shape = out.pop("input_ids").shape + (conf.d_model,)
        out["inputs_embeds"] = rng.standard_normal(shape).astype(np.float32)
        return out
    return g


TWO = dict(n_layer=2)

CASES = [
    Case("xlnet-model", "XLNetModel", "two layers, padding on the left, segments; all hidden states and attentions", TWO, segments(left(9, 4, 1)), H, hidden_states=True, attentions=True),
    Case("xlnet-right", "XLNetModel", "padding on the right, no segments, act relu, eps 1e-3", dict(ff_activation="relu", layer_norm_eps=1e-3), ragged(9, 4, 1), H, attentions=True),
    Case("xlnet-holes", "XLNetModel", "holes in the mask: distances count them", {}, holes, H, attentions=True),
    Case("xlnet-long", "XLNetModel", "130 tokens and 1, odd heads", dict(d_model=18, n_head=2, d_inner=24), segments(left(130, 1)), H),
    Case("xlnet-clamp", "XLNetModel", "distances from 3 on are alike", dict(clamp_len=3), plain(2, 9), H),
    Case("xlnet-both-ways", "XLNetModel", "bi_data: the second half of a batch counts distances backwards", dict(bi_data=True), segments(ragged(7, 5, 6, 3)), H, attentions=True),
    Case("xlnet-uni", "XLNetModel", "one way", dict(attn_type="uni"), ragged(7), H, attentions=True),
    Case("xlnet-embeds", "XLNetModel", "embeddings in place of ids, input_mask", {}, embeds(input_mask(left(6, 4))), H),
    Case("xlnet-lm", "XLNetLMHeadModel", "tied", {}, left(7, 3), H),
    Case("xlnet-lm-untied", "XLNetLMHeadModel", "a decoder of its own", dict(tie_word_embeddings=False), plain(2, 5), H),
    Case("xlnet-seqcls", "XLNetForSequenceClassification", "three labels, the last token", labels("a", "b", "c"), segments(left(7, 3, 5)), H),
    Case("xlnet-seqcls-right", "XLNetForSequenceClassification", "the last token is one that the mask hides", labels("a", "b", "c"), segments(ragged(7, 3, 5)), H),
    Case("xlnet-seqcls-first", "XLNetForSequenceClassification", "the first token, which the mask may hide; no activation", dict(labels("a", "b", "c"), summary_type="first", summary_activation=""), left(7, 3, 5), H),
    Case("xlnet-seqcls-mean", "XLNetForSequenceClassification", "the mean of all, those that the mask hides too; no projection", dict(labels("a", "b", "c"), summary_type="mean", summary_use_proj=False), left(7, 3, 5), H),
    Case("xlnet-tokcls", "XLNetForTokenClassification", "three labels", dict(num_labels=3), segments(left(7, 3)), H),
    Case("xlnet-mc", "XLNetForMultipleChoice", "two questions of three choices, padding on the right", {}, choices(2, 3, 6), H, choices=True),
    Case("xlnet-qa-simple", "XLNetForQuestionAnsweringSimple", "start and end logits", {}, segments(left(7, 3)), H),
]

def spans(f):
    def g(rng, conf):
        out = f(rng, conf)
        n = out["input_ids"].shape
        out["p_mask"] = (rng.random(n) < .3).astype(np.float32)
        out["cls_index"] = rng.integers(0, n[1], n[0]).astype(np.int64)
        return out
    return g


CASES += [
    Case("xlnet-qa", "XLNetForQuestionAnswering", "the five best starts, and for each three ends; padding, which counts", dict(end_n_top=3), segments(left(8, 6)), H),
    Case("xlnet-qa-masked", "XLNetForQuestionAnswering", "what cannot be in an answer, and a token of no answer", dict(start_n_top=2, end_n_top=4), spans(plain(3, 9)), H),
]

STREAMS = [
    Case("xlnet-perm", "XLNetModel", "a permutation mask, padding and segments; hidden states and attentions", TWO, permuted(segments(left(7, 5))), H, hidden_states=True, attentions=True),
    Case("xlnet-targets", "XLNetLMHeadModel", "two streams: three targets, one of which sees nothing before it; hidden states and attentions of both", TWO, targets(permuted(segments(plain(3, 6))), 4, 0, 3), H, hidden_states=True, attentions=True),
    Case("xlnet-targets-masked", "XLNetModel", "two streams, padding on the left, holes in targets", TWO, targets(permuted(left(6, 4)), 5, 2), H),
    Case("xlnet-targets-uni", "XLNetModel", "two streams, one way", dict(TWO, attn_type="uni"), targets(permuted(plain(1, 6)), 5, 2, 0), H, attentions=True),
    Case("xlnet-targets-soft", "XLNetModel", "targets spread over several places", {}, targets(permuted(plain(2, 5)), 0, 1, 2, soft=True), H, hidden_states=True, attentions=True),
    Case("xlnet-targets-seqcls", "XLNetForSequenceClassification", "the last target", labels("a", "b", "c"), targets(plain(2, 5), 1, 3), H),
    Case("xlnet-mems", "XLNetModel", "memory of five tokens, padding and segments; the last 4 go on", dict(TWO, mem_len=4), memory(segments(left(6, 3)), 5), H, hidden_states=True, attentions=True),
    Case("xlnet-mems-reuse", "XLNetLMHeadModel", "of each pass two tokens are kept, all in all 6", dict(TWO, mem_len=6, reuse_len=2), memory(plain(2, 4), 5), H),
    Case("xlnet-mems-same", "XLNetModel", "one way, each token sees equally many", dict(attn_type="uni", same_length=True, mem_len=3), memory(plain(2, 5), 3), H, attentions=True),
    Case("xlnet-mems-targets", "XLNetLMHeadModel", "memory and two streams", TWO, targets(permuted(memory(segments(left(5, 4)), 3)), 4, 2), H, attentions=True),
]
CASES += STREAMS
