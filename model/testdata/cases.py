"""The cases that make_goldens.py makes: one entry a folder."""
import dataclasses
from typing import Any, Callable

import numpy as np
import torch


def ids(rng, conf, *shape):
    return rng.integers(1, conf.vocab_size, shape).astype(np.int64)


def right_padded(lengths):
    width = max(lengths)
    return np.array([[int(i < n) for i in range(width)] for n in lengths], np.int64)


def left_padded(lengths):
    return right_padded(lengths)[:, ::-1].copy()


def plain(batch, seq):
    """input_ids alone: every other argument takes its default."""
    return lambda rng, conf: {"input_ids": ids(rng, conf, batch, seq)}


def ragged(*lengths, types=False, dtype=np.int64, ids_dtype=np.int64):
    """Padded on the right, token types of two or more segments when asked for."""
    def f(rng, conf):
        mask = right_padded(lengths)
        out = {"input_ids": (ids(rng, conf, *mask.shape) * mask).astype(ids_dtype), "attention_mask": mask.astype(dtype)}
        if types:
            cut = np.array([[n * (t + 1) // conf.type_vocab_size for t in range(conf.type_vocab_size - 1)] for n in lengths])
            pos = np.arange(mask.shape[1])
            out["token_type_ids"] = ((pos[None, :, None] >= cut[:, None, :]).sum(-1) * mask).astype(np.int64)
        return out
    return f


def holes(rng, conf):
    """Row 0 padded on the left, row 1 with holes, row 2 with one visible token in the middle, row 3 whole."""
    mask = np.ones((4, 11), np.int64)
    mask[0, :4] = 0
    mask[1, [0, 3, 4, 9]] = 0
    mask[2] = 0
    mask[2, 5] = 1
    return {"input_ids": ids(rng, conf, 4, 11), "attention_mask": mask}


def left(*lengths):
    def f(rng, conf):
        mask = left_padded(lengths)
        return {"input_ids": ids(rng, conf, *mask.shape) * mask, "attention_mask": mask}
    return f


def positions(rows):
    """position_ids out of order, as [rows, seq]: rows is 1 (the same for all) or the batch."""
    def f(rng, conf):
        pos = np.stack([rng.permutation(conf.max_position_embeddings)[:7] for _ in range(rows)]).astype(np.int64)
        return {"input_ids": ids(rng, conf, 3, 7), "position_ids": pos}
    return f


def choices(batch, n, seq):
    def f(rng, conf):
        mask = np.ones((batch, n, seq), np.int64)
        mask[0, 1, seq - 2:] = 0
        mask[-1, 0, seq - 4:] = 0
        out = {"input_ids": ids(rng, conf, batch, n, seq) * mask, "attention_mask": mask}
        if hasattr(conf, "type_vocab_size"):
            out["token_type_ids"] = (np.arange(seq) >= seq // 2).astype(np.int64) * mask
        return out
    return f


@dataclasses.dataclass
class Part:
    """A part of a model with channels of its own."""
    parameters: Any  # what their names begin with: a string or several
    config: Any
    outputs: str     # what the names of its outputs begin with


@dataclasses.dataclass
class Case:
    name: str
    arch: str
    about: str
    config: dict = dataclasses.field(default_factory=dict)
    inputs: Callable = plain(2, 6)
    dtype: Any = torch.float32
    hidden_states: bool = False
    attentions: bool = False
    choices: bool = False
    drop_pooler: bool = False
    shard: str = ""
    states: tuple = ()    # outputs that are hidden states under another name
    generates: bool = False  # golden.json has what generate() writes for a source
    greedy: bool = False  # golden.json has 24 tokens that generate() gives
    writes: bool = False  # golden.json has what generate() writes about each of the pictures
    edit_config: Callable | None = None
    edit_weights: Callable | None = None

    @property
    def family(self):
        if self.arch.startswith(("Bert", "Distil")):
            return "distilbert" if self.arch.startswith("Distil") else "bert"
        if self.arch.startswith(("ViT", "DeiT", "Dinov2", "Yolos")):
            return "vision"
        if self.arch.startswith(("CLIP", "VisionEncoderDecoder")):
            return "crossmodal"
        if self.arch.startswith(("T5", "Bart", "Marian", "Pegasus", "MBart", "Transformer")):
            return "seq2seq"
        if self.arch.startswith("XLNet"):
            return "xlnet"
        if self.arch.startswith(("Roberta", "XLMRoberta", "MPNet", "Electra", "Albert")):
            return "kin"
        return "decoder"


def drop(*keys):
    """Leaves keys out of config.json, as old or hand-written ones do: defaults apply."""
    def f(conf):
        for k in keys:
            conf.pop(k, None)
    return f


def old_names(w):
    """A checkpoint of 2019: gamma and beta, and the position_ids buffer stored."""
    out = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in w.items()}
    out["bert.embeddings.position_ids"] = torch.arange(24)[None]
    return out


def with_prefix(w):
    return {"bert." + k: v for k, v in w.items()}


def decoder_too(w):
    """A tied decoder stored once more, as old files have it."""
    return w | {"cls.predictions.decoder.weight": w["bert.embeddings.word_embeddings.weight"].clone(),
                "cls.predictions.decoder.bias": w["cls.predictions.bias"].clone()}


def another_decoder(w):
    """A decoder and a bias that differ from what they would be tied to: the stored ones count, whatever the config says."""
    g = torch.Generator().manual_seed(5)
    e = w["bert.embeddings.word_embeddings.weight"]
    return w | {"cls.predictions.decoder.weight": torch.randn(e.shape, generator=g).to(e.dtype),
                "cls.predictions.decoder.bias": torch.randn(e.shape[0], generator=g).to(e.dtype)}


def labels(*names):
    return dict(num_labels=len(names), id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})


H = torch.float16
RAGGED = ragged(7, 3, 5, types=True)

CASES = [
    Case("bert-model", "BertModel", "two layers, head size 5, ragged, three token types, all hidden states and attentions",
         dict(num_hidden_layers=2, vocab_size=97, type_vocab_size=3), ragged(9, 4, 1, types=True), hidden_states=True, attentions=True),
    Case("distilbert-model", "DistilBertModel", "two layers, head size 5, ragged, all hidden states and attentions",
         dict(n_layers=2, vocab_size=97), ragged(9, 4, 1), hidden_states=True, attentions=True),
    Case("bert-seqcls", "BertForSequenceClassification", "three labels, one of them true",
         labels("bad", "so-so", "good"), RAGGED),
    Case("distilbert-seqcls", "DistilBertForSequenceClassification", "two labels", labels("NEGATIVE", "POSITIVE"), ragged(7, 3, 5)),
    Case("bert-long", "BertModel", "130 tokens, head size 9, ragged with a text of one token",
         dict(hidden_size=36, num_hidden_layers=2, intermediate_size=53, max_position_embeddings=136), ragged(130, 77, 1), H),
    Case("bert-one-token", "BertModel", "one text of one token, nothing but input_ids", {}, plain(1, 1), H),
    Case("bert-no-pooler", "BertModel", "the file has no pooler: pooler_output is not written", {}, plain(2, 6), H, drop_pooler=True),
    Case("bert-holes", "BertModel", "padding on the left, holes in the mask, one visible token; the pooler reads position 0 although it is masked",
         dict(num_hidden_layers=2), holes, hidden_states=True, attentions=True),
    Case("bert-positions", "BertModel", "position_ids [1, seq] out of order, layer_norm_eps 1e-3", dict(layer_norm_eps=1e-3), positions(1), H),
    Case("bert-positions-rows", "BertModel", "position_ids [batch, seq], each row its own", {}, positions(3), H),
    Case("bert-input-dtypes", "BertModel", "input_ids int32, attention_mask float32", {}, ragged(5, 2, dtype=np.float32, ids_dtype=np.int32), H),
    Case("bert-mask-bool", "BertModel", "attention_mask bool", {}, ragged(5, 2, dtype=np.bool_), H),
    Case("bert-old-names", "BertForSequenceClassification", "LayerNorm.gamma and beta, a stored position_ids, few keys in config.json",
         {}, RAGGED, edit_weights=old_names,
         edit_config=drop("hidden_act", "layer_norm_eps", "type_vocab_size", "id2label", "label2id", "dtype", "transformers_version",
                          "pad_token_id", "tie_word_embeddings", "use_cache", "classifier_dropout", "is_decoder", "add_cross_attention",
                          "initializer_range", "hidden_dropout_prob", "attention_probs_dropout_prob", "bos_token_id", "eos_token_id")),
    Case("bert-prefixed", "BertModel", "weights named bert.…, as a model with a head stores them", {}, RAGGED, H, edit_weights=with_prefix),
    Case("bert-sharded", "BertModel", "safetensors in shards, two layers", dict(num_hidden_layers=2), RAGGED, H, shard="12KB"),
    Case("bert-bf16", "BertModel", "bfloat16 weights, head size 16", dict(hidden_size=48, num_attention_heads=3, intermediate_size=64), RAGGED, torch.bfloat16),
] + [
    Case(f"bert-act-{a.replace('_', '-')}", "BertModel", f"hidden_act {a}", dict(hidden_act=a), plain(1, 6), H)
    for a in ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "relu", "silu", "swish", "quick_gelu", "tanh")
] + [
    Case("bert-seqcls-multi", "BertForSequenceClassification", "four labels, any number of them true",
         dict(problem_type="multi_label_classification", **labels("toxic", "rude", "spam", "off-topic")), RAGGED, H),
    Case("bert-seqcls-regression", "BertForSequenceClassification", "one score", dict(problem_type="regression", num_labels=1), RAGGED, H),
    Case("bert-seqcls-one", "BertForSequenceClassification", "one label and no problem_type, as cross-encoders are stored", dict(num_labels=1), RAGGED, H),
    Case("bert-seqcls-left", "BertForSequenceClassification", "padding on the left: the pooler reads position 0 although it is masked",
         dict(num_labels=5), left(7, 3, 5), H),
    Case("bert-tokcls", "BertForTokenClassification", "five labels", labels("O", "B-PER", "I-PER", "B-LOC", "I-LOC"), RAGGED, H),
    Case("bert-qa", "BertForQuestionAnswering", "start and end logits", {}, RAGGED, H, hidden_states=True),
    Case("bert-mlm-tied", "BertForMaskedLM", "decoder tied to the word embeddings, hidden_act relu in the transform too",
         dict(hidden_act="relu", vocab_size=97), RAGGED, H, attentions=True),
    Case("bert-mlm-untied", "BertForMaskedLM", "a decoder of its own, whose bias is decoder.bias and not predictions.bias",
         dict(tie_word_embeddings=False), RAGGED, H),
    Case("bert-mlm-stored-twice", "BertForMaskedLM", "a tied decoder that the file holds a second time", {}, RAGGED, H, edit_weights=decoder_too),
    Case("bert-mlm-stored-other", "BertForMaskedLM", "tied by the config, but the file holds another decoder and decoder.bias: Hugging Face uses those",
         {}, RAGGED, H, edit_weights=another_decoder),
    Case("bert-pretraining", "BertForPreTraining", "both heads of pretraining", {}, RAGGED, H),
    Case("bert-nsp", "BertForNextSentencePrediction", "next sentence prediction", {}, RAGGED, H),
    Case("bert-mc", "BertForMultipleChoice", "two questions of three choices", {}, choices(2, 3, 6), H, choices=True),
    Case("bert-lm-causal", "BertLMHeadModel", "is_decoder: causal attention, padding on the left",
         dict(is_decoder=True, num_hidden_layers=2), left(8, 3, 5), H, attentions=True),
    Case("distilbert-sinusoidal", "DistilBertModel", "sinusoidal_pos_embds, positions stored all the same; position_ids given",
         dict(sinusoidal_pos_embds=True, activation="relu"), positions(3), H),
    Case("distilbert-holes", "DistilBertModel", "padding on the left, holes in the mask", dict(n_layers=2), holes, H, attentions=True),
    Case("distilbert-mlm", "DistilBertForMaskedLM", "projector tied to the word embeddings", dict(vocab_size=97), ragged(7, 3), H),
    Case("distilbert-mlm-untied", "DistilBertForMaskedLM", "a projector of its own", dict(tie_word_embeddings=False), ragged(7, 3), H),
    Case("distilbert-seqcls-left", "DistilBertForSequenceClassification", "five labels, padding on the left: position 0 is read although it is masked",
         dict(num_labels=5), left(7, 3, 5), H),
    Case("distilbert-tokcls", "DistilBertForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("distilbert-qa", "DistilBertForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),
    Case("distilbert-mc", "DistilBertForMultipleChoice", "two questions of three choices", {}, choices(2, 3, 6), H, choices=True),
]
