"""The cases of encoder-decoders: their shapes, their answers, and which axes of their parameters are which channels."""
import re

import numpy as np
import torch
import transformers
import vaswani
from cases import H, Case, drop, ids, labels, left_padded, plain, ragged, right_padded

T5 = dict(d_model=20, num_heads=3, d_kv=6, d_ff=37, num_layers=2, num_decoder_layers=1, vocab_size=61, relative_attention_num_buckets=8,
          relative_attention_max_distance=20, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
BART = dict(d_model=20, encoder_attention_heads=4, decoder_attention_heads=2, encoder_ffn_dim=37, decoder_ffn_dim=29, encoder_layers=2, decoder_layers=1,
            vocab_size=61, max_position_embeddings=40, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2)
MARIAN = dict(BART, pad_token_id=60, decoder_start_token_id=60, eos_token_id=0, scale_embedding=True)
PEGASUS = dict(BART, pad_token_id=0, decoder_start_token_id=0, eos_token_id=1)

VASWANI = dict(d_model=20, nhead=4, dim_feedforward=37, num_encoder_layers=2, num_decoder_layers=1, vocab_size=61)
transformers.Transformer, transformers.TransformerConfig = vaswani.Transformer, vaswani.TransformerConfig

# By the beginning of the class: the config class and its small shape.
FAMILIES = {
    "T5": ("T5Config", T5),
    "Bart": ("BartConfig", BART),
    "MBart": ("MBartConfig", BART),
    "Marian": ("MarianConfig", MARIAN),
    "Pegasus": ("PegasusConfig", PEGASUS),
    "Transformer": ("TransformerConfig", VASWANI),
}

# Which channels the axes of a parameter follow, by the end of its name: h(idden), f(eed-forward), g (that of the decoder) or None.
AXES = [
    (r"(shared|embed_tokens|embed_positions|lm_head)\.weight", (None, "h")),
    (r"Attention\.[qkv]\.weight", (None, "h")),
    (r"Attention\.o\.weight", ("h", None)),
    (r"DenseReluDense\.wi(_[01])?\.weight", ("f", "h")),
    (r"DenseReluDense\.wo\.weight", ("h", "f")),
    (r"[qkv]_proj\.weight", (None, "h")),
    (r"out_proj\.weight", ("h", None)),
    (r"out_proj\.bias", ("h",)),
    (r"decoder.*fc1\.weight", ("g", "h")),
    (r"decoder.*fc1\.bias", ("g",)),
    (r"decoder.*fc2\.weight", ("h", "g")),
    (r"fc1\.weight", ("f", "h")),
    (r"fc1\.bias", ("f",)),
    (r"fc2\.weight", ("h", "f")),
    (r"fc2\.bias", ("h",)),
    (r"(norm\w*)\.(weight|bias)", ("h",)),
    (r"waves|(src|tgt)_embed\.weight|in_proj_weight|generator\.weight", (None, "h")),
    (r"linear1\.weight", ("f", "h")),
    (r"linear1\.bias", ("f",)),
    (r"linear2\.weight", ("h", "f")),
    (r"linear2\.bias", ("h",)),
    (r"(qa_outputs|classifier|classification_head\.dense)\.weight", (None, "h")),
]


def axes(name, case):
    if "classification_head.out_proj" in name:
        return (None, None)
    for pattern, which in AXES:
        if re.search("(" + pattern + ")$", name):
            return which
    return (None, None)


def pairs(sources, targets, left=False, widths=None):
    """Sources and what the decoder reads, of these lengths, padded on one side."""
    mask = left_padded if left else right_padded

    def f(rng, conf):
        out = {}
        for name, lengths in (("", sources), ("decoder_", targets)):
            m = mask(lengths)
            out[name + "input_ids"] = ids(rng, conf, *m.shape) * m
            if min(lengths) < max(lengths):
                out[name + "attention_mask"] = m
        return out
    return f


def ends(*lengths, side=right_padded, count=1):
    """Sources of these lengths with the end token where it counts, and nothing for the decoder."""
    def f(rng, conf):
        m = side(lengths)
        out = rng.integers(3, conf.vocab_size, m.shape).astype(np.int64) * m
        for row, mask in zip(out, m):
            last = np.nonzero(mask)[0][-1]
            row[last] = conf.eos_token_id
            if count > 1:
                row[last - 2] = conf.eos_token_id
        return {"input_ids": out, "attention_mask": m}
    return f


OUTPUTS = ("last_hidden_state", "logits", "start_logits", "end_logits", "encoder_last_hidden_state")
LISTS = ("encoder_hidden_states", "decoder_hidden_states", "encoder_attentions", "decoder_attentions", "cross_attentions", "hidden_states", "attentions")


def outputs(model, case, inputs, perm=None):
    """Every output of a forward pass by the names of the command's contract, as numpy arrays."""
    feed = {k: torch.from_numpy(v) for k, v in inputs.items()}
    if "pixel_values" in feed:
        feed["pixel_values"] = feed["pixel_values"].to(next(model.parameters()).dtype)
    with torch.no_grad():
        r = model(**feed, output_hidden_states=True, output_attentions=case.attentions, return_dict=True)
    out = {k: r[k] for k in OUTPUTS if r.get(k) is not None}
    states = r.get("decoder_hidden_states") or r.get("hidden_states")
    out["last_hidden_state"] = states[-1]
    for k in LISTS:
        if r.get(k) is not None and (case.hidden_states if k.endswith("states") else case.attentions):
            out.update({f"{k}.{i}": v for i, v in enumerate(r[k])})
    if perm is not None:
        back = {part: torch.argsort(p) for part, p in perm.items()}
        for k in [k for k in out if "hidden_state" in k]:
            out[k] = out[k][..., back.get("encoder_" if k.startswith("encoder_") else "decoder_", back.get(""))]
    whole = "SequenceClassification" in case.arch
    return {k: v.numpy() if whole and k == "logits" else mask_out(k, v.numpy(), inputs, "decoder_hidden_states" in r) for k, v in out.items()}


def mask_out(name, v, inputs, pair):
    """Zeros at the positions that a mask excludes."""
    source, target = inputs.get("attention_mask"), inputs.get("decoder_attention_mask")
    rows = source if name.startswith("encoder_") or not pair else target
    cols = target if name.startswith("decoder_") else source
    for mask, where in ((rows, "rows"), (cols, "cols")):
        if mask is None:
            continue
        if "attentions" in name:
            v = np.where(mask[:, None, :, None] if where == "rows" else mask[:, None, None, :], v, 0)
        elif where == "rows":
            v = np.where(mask.reshape(mask.shape + (1,) * (v.ndim - 2)), v, 0)
    return v


def train(model, gen):
    """A little training on three pairs, so that what is generated depends on the source and does not repeat."""
    vocab, start = model.config.vocab_size, model.config.decoder_start_token_id
    source, target = torch.randint(3, vocab, (3, 11), generator=gen), torch.randint(3, vocab, (3, 30), generator=gen)
    read = torch.cat([torch.full((3, 1), start), target[:, :-1]], 1)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(120):
        logits = model(input_ids=source, decoder_input_ids=read).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return source


def generated(model, sources, n=24):
    """What generate() writes for a source alone, greedily and with 4 beams; None if one was a close call, or it repeats a few."""
    plain = dict(do_sample=False, forced_bos_token_id=None, forced_eos_token_id=None, max_new_tokens=n, no_repeat_ngram_size=0, min_length=0)
    out = []
    for source in sources.tolist():
        r = model.generate(torch.tensor([source]), num_beams=1, eos_token_id=None, output_scores=True, return_dict_in_generate=True, **plain)
        tokens = r.sequences[0].tolist()
        gaps = [float(s[0].topk(2).values.diff().abs()) for s in r.scores]
        if len(set(tokens)) < 6 or min(gaps) < 1e-2:
            return None
        beams = model.generate(torch.tensor([source]), num_beams=4, length_penalty=1.0, early_stopping=False, **plain)[0].tolist()
        out.append({"source": source, "greedy": tokens, "beams": beams})
    return out


def with_bias(w):
    g = torch.Generator().manual_seed(5)
    return w | {"final_logits_bias": torch.randn(w["final_logits_bias"].shape, generator=g) * 0.5}


def without_bias(w):
    return {k: v for k, v in w.items() if k != "final_logits_bias"}


def padded_with(*lengths):
    """Padded on the right with pad_token_id, which the shift of mBART looks for."""
    def f(rng, conf):
        m = right_padded(lengths)
        out = rng.integers(3, conf.vocab_size, m.shape).astype(np.int64)
        return {"input_ids": out * m + conf.pad_token_id * (1 - m), "attention_mask": m}
    return f


GATED = dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)

CASES = [
    Case("t5-model", "T5Model", "two layers and one, head size 6, padding on the right on both sides; all hidden states and attentions", {},
         pairs((9, 4, 1), (5, 7, 2)), H, hidden_states=True, attentions=True),
    Case("t5-left", "T5Model", "padding on the left on both sides, more layers in the decoder, relu and eps 1e-3",
         dict(num_layers=1, num_decoder_layers=2, layer_norm_epsilon=1e-3), pairs((9, 4, 1), (5, 7, 2), left=True), H, attentions=True),
    Case("t5-lm", "T5ForConditionalGeneration", "what is generated; tied and scaled", {}, pairs((9, 4), (3, 5)), generates=True),
    Case("t5-v11", "T5ForConditionalGeneration", "version 1.1: gated, a matrix of its own and no scale; what is generated",
         GATED, pairs((9, 4), (3, 5)), H, generates=True),
    Case("t5-long", "T5Model", "130 tokens and 1, heads of 9, distances past the last bucket", dict(num_heads=4, d_kv=9), pairs((130, 1), (1, 130)), H),
    Case("t5-one", "T5ForConditionalGeneration", "one token each, gated silu, few keys in config.json", dict(feed_forward_proj="gated-silu", num_heads=8, num_decoder_layers=2),
         pairs((1,), (1,)), H, edit_config=drop("num_heads", "num_decoder_layers", "layer_norm_epsilon", "scale_decoder_outputs")),
    Case("t5-encoder", "T5EncoderModel", "the encoder alone, gelu", dict(feed_forward_proj="gelu"), ragged(9, 4, 1), H, hidden_states=True, attentions=True),
    Case("t5-seqcls", "T5ForSequenceClassification", "three labels at the last end token; the decoder reads the source", labels("a", "b", "c"),
         ends(7, 7, 7, count=2), H),
    Case("t5-seqcls-left", "T5ForSequenceClassification", "padding on the left", labels("a", "b"), ends(7, 5, side=left_padded), H),
    Case("t5-tokcls", "T5ForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("t5-qa", "T5ForQuestionAnswering", "start and end logits", {}, plain(2, 6), H),

    Case("bart-all", "BartModel", "two layers and one, other heads in the decoder, padding on the right; all hidden states and attentions", {},
         pairs((9, 4, 1), (5, 7, 2)), H, hidden_states=True, attentions=True),
    Case("bart-left", "BartModel", "padding on the left on both sides, scaled embeddings, quick_gelu", dict(scale_embedding=True, activation_function="quick_gelu"),
         pairs((9, 4, 1), (5, 7, 2), left=True), H, attentions=True),
    Case("bart-lm", "BartForConditionalGeneration", "what is generated, a learned bias", {}, pairs((9, 4), (3, 5)), generates=True, edit_weights=with_bias),
    Case("bart-lm-untied", "BartForConditionalGeneration", "matrices of their own; no final_logits_bias", dict(tie_word_embeddings=False), pairs((9, 4), (3, 5)), H,
         edit_weights=without_bias),
    Case("bart-lm-shifts", "BartForConditionalGeneration", "the decoder reads the source, padding included", {}, ragged(7, 3), H),
    Case("bart-long", "BartModel", "130 tokens and 1, heads of 9, positions to the last", dict(d_model=18, encoder_attention_heads=2, max_position_embeddings=130), pairs((130, 1), (1, 130)), H),
    Case("bart-one", "BartForConditionalGeneration", "one token each, few keys in config.json", dict(encoder_attention_heads=10, decoder_attention_heads=10, activation_function="relu"),
         pairs((1,), (1,)), H, edit_config=drop("scale_embedding", "pad_token_id", "tie_word_embeddings", "forced_eos_token_id")),
    Case("bart-seqcls", "BartForSequenceClassification", "three labels at the last end token", {}, ends(7, 7, 7, count=2), H),
    Case("bart-seqcls-left", "BartForSequenceClassification", "two labels, padding on the left", labels("a", "b"), ends(7, 5, side=left_padded), H),
    Case("bart-qa", "BartForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),
    Case("bart-causal", "BartForCausalLM", "the decoder alone", {}, ragged(7, 3), H),
    Case("mbart-model", "MBartModel", "norms before their part; the decoder reads the source turned", dict(decoder_start_token_id=None), padded_with(7, 3), H,
         hidden_states=True, attentions=True),
    Case("mbart-lm", "MBartForConditionalGeneration", "what is generated", dict(decoder_layers=2, encoder_layers=1), pairs((9, 4), (3, 5)), generates=True),
    Case("mbart-seqcls", "MBartForSequenceClassification", "three labels", dict(num_labels=3), ends(7, 7), H),
    Case("mbart-qa", "MBartForQuestionAnswering", "start and end logits", {}, padded_with(7, 3), H),
    Case("marian-model", "MarianModel", "positions that the file has, padding on the left", {}, pairs((9, 4, 1), (5, 7, 2), left=True), H, hidden_states=True, attentions=True),
    Case("marian-mt", "MarianMTModel", "sines that no file has; what is generated, swish", dict(activation_function="swish", d_model=24), pairs((9, 4), (3, 5)), generates=True),
    Case("marian-mt-two", "MarianMTModel", "source and target with words of their own, an odd width", dict(d_model=15, encoder_attention_heads=3, decoder_attention_heads=5,
         share_encoder_decoder_embeddings=False, decoder_vocab_size=67), pairs((9, 4), (3, 5)), H),
    Case("marian-long", "MarianMTModel", "130 tokens and 1", dict(max_position_embeddings=130), pairs((130, 1), (1, 5)), H),
    Case("pegasus-model", "PegasusModel", "norms before their part, positions of the file, relu", dict(activation_function="relu", scale_embedding=True), pairs((9, 4, 1), (5, 7, 2)), H,
         hidden_states=True, attentions=True),
    Case("pegasus-lm", "PegasusForConditionalGeneration", "what is generated", dict(scale_embedding=True), pairs((9, 4), (3, 5)), H, generates=True),
    Case("transformer-all", "Transformer", "norms after their part and at the end, padding on the right; all hidden states", {},
         pairs((9, 4, 1), (5, 7, 2)), H, hidden_states=True),
    Case("transformer-left", "Transformer", "norms first, no biases, gelu, eps 1e-3, padding on the left, scaled embeddings",
         dict(norm_first=True, bias=False, activation="gelu", layer_norm_eps=1e-3, scale_embedding=True), pairs((9, 4, 1), (5, 7, 2), left=True), H),
    Case("transformer-lm", "Transformer", "what is generated; source and target with words of their own", dict(scale_embedding=True, tgt_vocab_size=67), pairs((9, 4), (3, 5)), generates=True),
    Case("transformer-first", "Transformer", "what is generated; norms first, more layers in the decoder", dict(norm_first=True, num_encoder_layers=1, num_decoder_layers=2),
         pairs((9, 4), (3, 5)), H, generates=True),
    Case("transformer-bare", "Transformer", "no generator; 130 tokens and 1, heads of 9", dict(with_generator=False, d_model=18, nhead=2), pairs((130, 1), (1, 130)), H),
    Case("transformer-one", "Transformer", "one token each, few keys in config.json", dict(num_encoder_layers=1, nhead=8, d_model=24), pairs((1,), (1,)), H,
         edit_config=drop("nhead", "activation", "layer_norm_eps", "norm_first", "bias", "scale_embedding", "tgt_vocab_size", "positional_encoding", "with_generator")),
]
