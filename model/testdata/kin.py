"""The cases of BERT's kin."""
import re

from cases import H, Case, choices, holes, labels, left, plain, ragged

BERT = dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=1, vocab_size=61, max_position_embeddings=24)
PADDED = dict(BERT, pad_token_id=1)

FAMILIES = {
    "Roberta": ("RobertaConfig", PADDED),
    "XLMRoberta": ("XLMRobertaConfig", PADDED),
    "MPNet": ("MPNetConfig", PADDED),
    "Electra": ("ElectraConfig", dict(BERT, embedding_size=12)),
    "Albert": ("AlbertConfig", dict(BERT, embedding_size=12, num_hidden_layers=3)),
}

# Which channels the axes of a parameter follow: h(idden), f(eed-forward) or None.
AXES = [
    (r"embeddings\.\w+_embeddings\.weight|relative_attention_bias\.weight", (None, None)),
    (r"embeddings\.LayerNorm\.(weight|bias)", (None,)),
    (r"(embeddings_project|embedding_hidden_mapping_in)\.weight", ("h", None)),
    (r"(embeddings_project|embedding_hidden_mapping_in)\.bias", ("h",)),
    (r"attention\.(self\.)?(query|key|value)\.weight|attn\.[qkv]\.weight", (None, "h")),
    (r"attention\.(output\.)?dense\.weight|attn\.o\.weight", ("h", None)),
    (r"attention\.(output\.)?dense\.bias|attn\.o\.bias", ("h",)),
    (r"(intermediate\.dense|\.ffn)\.weight", ("f", "h")),
    (r"(intermediate\.dense|\.ffn)\.bias", ("f",)),
    (r"(layer\.\d+\.output\.dense|ffn_output)\.weight", ("h", "f")),
    (r"(layer\.\d+\.output\.dense|ffn_output)\.bias", ("h",)),
    (r"(attention\.LayerNorm|attention\.output\.LayerNorm|layer\.\d+\.output\.LayerNorm|full_layer_layer_norm)\.(weight|bias)", ("h",)),
    (r"(lm_head\.dense|classifier\.dense|pooler\.dense|pooler|predictions\.dense|sequence_summary\.summary|qa_outputs)\.weight", (None, "h")),
]
# Those whose embeddings are as wide as the layers.
PLAIN = [
    (r"embeddings\.\w+_embeddings\.weight", (None, "h")),
    (r"embeddings\.LayerNorm\.(weight|bias)", ("h",)),
    (r"lm_head\.dense\.weight", ("h", "h")),
    (r"lm_head\.(dense\.bias|layer_norm\.weight|layer_norm\.bias)", ("h",)),
    (r"lm_head\.decoder\.weight", (None, "h")),
]


def axes(name, case):
    if name == "classifier.weight" and case.arch.endswith("TokenClassification"):
        return (None, "h")
    wide = not case.arch.startswith("Albert") and (not case.arch.startswith("Electra") or "embedding_size" in case.config)  # ALBERT projects always
    return next((which for pattern, which in (PLAIN if wide else []) + AXES if re.search("(" + pattern + ")$", name)), (None, None))


def padded(*lengths, pad=1, types=False):
    """Padded on the right with the padding token, which some count positions by."""
    f = ragged(*lengths, types=types)

    def g(rng, conf):
        out = f(rng, conf)
        out["input_ids"] = out["input_ids"] + (out["input_ids"] == pad) * 7  # none in the text
        out["input_ids"] = out["input_ids"] * out["attention_mask"] + pad * (1 - out["attention_mask"])
        return out
    return g


def padded_left(*lengths, pad=1):
    f = left(*lengths)

    def g(rng, conf):
        out = f(rng, conf)
        out["input_ids"] = out["input_ids"] * out["attention_mask"] + pad * (1 - out["attention_mask"])
        return out
    return g


def pad_inside(rng, conf):
    """The padding token in the midst of a text that has no mask."""
    return {"input_ids": plain(2, 7)(rng, conf)["input_ids"] * [[1, 1, 1, 0, 1, 1, 1]] + [[0, 0, 0, 1, 0, 0, 0]]}


def roberta(name, cls):
    return [
        Case(f"{name}-model", f"{cls}Model", "positions from that of the padding token on, two layers; all hidden states and attentions",
             dict(num_hidden_layers=2), padded(9, 4, 1), H, hidden_states=True, attentions=True),
        Case(f"{name}-seqcls", f"{cls}ForSequenceClassification", "three labels", dict(num_labels=3), (padded if cls == "MPNet" else padded_left)(7, 3, 5), H),
        Case(f"{name}-tokcls", f"{cls}ForTokenClassification", "three labels", dict(num_labels=3), padded(7, 3), H),
        Case(f"{name}-qa", f"{cls}ForQuestionAnswering", "start and end logits", {}, padded(7, 3), H),
        Case(f"{name}-mlm", f"{cls}ForMaskedLM", "tied", {}, padded(7, 3), H),
        Case(f"{name}-mc", f"{cls}ForMultipleChoice", "two questions of three choices", {}, choices(2, 3, 6), H, choices=True),
    ]


CASES = roberta("roberta", "Roberta") + roberta("xlmr", "XLMRoberta") + roberta("mpnet", "MPNet") + [
    Case("roberta-pad-inside", "RobertaModel", "the padding token in the midst of a text", {}, pad_inside, H),
    Case("roberta-mlm-untied", "RobertaForMaskedLM", "a decoder of its own, eps 1e-3, act relu", dict(tie_word_embeddings=False, layer_norm_eps=1e-3, hidden_act="relu"), padded(7, 3), H),
    Case("roberta-lm", "RobertaForCausalLM", "is_decoder", dict(is_decoder=True), padded(7, 3), H),
    Case("mpnet-holes", "MPNetForSequenceClassification", "distances across masked positions, and from a masked first one", dict(num_labels=3), holes, H),
    Case("mpnet-long", "MPNetModel", "130 tokens and 1: distances share buckets", dict(hidden_size=36, max_position_embeddings=133), padded(130, 1), H),

    Case("albert-model", "AlbertModel", "three layers that are one, embeddings of 12; all hidden states and attentions",
         {}, ragged(9, 4, 1, types=True), H, hidden_states=True, attentions=True),
    Case("albert-square", "AlbertModel", "embeddings as wide as the layers, and projected all the same", dict(embedding_size=20), ragged(7, 3), H),
    Case("albert-groups", "AlbertModel", "five layers in two groups, holes in the mask", dict(num_hidden_layers=5, num_hidden_groups=2, hidden_act="gelu"), holes, H, attentions=True),
    Case("albert-pretraining", "AlbertForPreTraining", "both heads", {}, ragged(7, 3, types=True), H),
    Case("albert-mlm", "AlbertForMaskedLM", "tied", {}, ragged(7, 3), H),
    Case("albert-seqcls", "AlbertForSequenceClassification", "three labels", labels("a", "b", "c"), ragged(7, 3), H),
    Case("albert-tokcls", "AlbertForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("albert-qa", "AlbertForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),
    Case("albert-mc", "AlbertForMultipleChoice", "two questions of three choices", {}, choices(2, 3, 6), H, choices=True),

    Case("electra-model", "ElectraModel", "embeddings of 12, two layers; all hidden states and attentions", dict(num_hidden_layers=2), ragged(9, 4, 1, types=True), H, hidden_states=True, attentions=True),
    Case("electra-wide", "ElectraModel", "embeddings as wide as the layers, padding on the left", dict(embedding_size=20), left(7, 3), H),
    Case("electra-pretraining", "ElectraForPreTraining", "one number a token", {}, ragged(7, 3), H),
    Case("electra-mlm", "ElectraForMaskedLM", "tied", {}, ragged(7, 3), H),
    Case("electra-lm", "ElectraForCausalLM", "is_decoder, untied", dict(is_decoder=True, tie_word_embeddings=False), ragged(7, 3), H),
    Case("electra-seqcls", "ElectraForSequenceClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("electra-tokcls", "ElectraForTokenClassification", "three labels", dict(num_labels=3), ragged(7, 3), H),
    Case("electra-qa", "ElectraForQuestionAnswering", "start and end logits", {}, ragged(7, 3), H),
    Case("electra-mc", "ElectraForMultipleChoice", "two questions of three choices, summary_activation tanh", dict(summary_activation="tanh"), choices(2, 3, 6), H, choices=True),
]
