"""The cases of vision models: their shapes, and which axes of their parameters are which channels."""
import re

import numpy as np
from cases import Case, labels

VIT = dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=2, image_size=12, patch_size=4)

# By the beginning of the class: the config class and its small shape.
FAMILIES = {
    "ViT": ("ViTConfig", VIT),
    "DeiT": ("DeiTConfig", VIT),
    "Dinov2": ("Dinov2Config", dict(VIT, intermediate_size=80)),  # which is what mlp_ratio says
    "Yolos": ("YolosConfig", dict(VIT, image_size=[12, 16], num_detection_tokens=3)),
}

# Which channels the axes of a parameter follow, by the end of its name: h(idden), f(eed-forward) or None.
AXES = [
    (r"(cls|distillation)_token|detection_tokens|embeddings\.position_embeddings", (None, None, "h")),
    (r"mid_position_embeddings", (None, None, None, "h")),
    (r"projection\.(weight|bias)", ("h",)),
    (r"([qkv]_proj|query|key|value)\.weight", (None, "h")),
    (r"(o_proj|attention\.output\.dense)\.weight", ("h", None)),
    (r"(o_proj|attention\.output\.dense)\.bias", ("h",)),
    (r"(fc1|intermediate\.dense)\.weight", ("f", "h")),
    (r"(fc1|intermediate\.dense)\.bias", ("f",)),
    (r"(fc2|output\.dense)\.weight", ("h", "f")),
    (r"(fc2|output\.dense)\.bias", ("h",)),
    (r"(gate|up)_proj\.weight", (None, "h")),
    (r"down_proj\.weight", ("h", None)),
    (r"down_proj\.bias", ("h",)),
    (r"lambda1", ("h",)),
    (r"(norm\w*|layernorm\w*)\.(weight|bias)", ("h",)),
    (r"(pooler\.dense|(cls_|distillation_|^)classifier|(classifier|predictor)\.layers\.0)\.weight", (None, "h")),
]


def axes(name, case):
    for pattern, which in AXES:
        if re.search(pattern + "$", name):
            return which
    return (None, None)


def pictures(n, height, width, channels=3, **more):
    def f(rng, conf):
        return {"pixel_values": rng.standard_normal((n, channels, height, width), dtype=np.float32), **more}
    return f


INTERPOLATE = dict(interpolate_pos_encoding=np.array(True))

CASES = [
    Case("vit-model", "ViTModel", "two layers, head size 5, all hidden states and attentions", {}, pictures(2, 12, 12), hidden_states=True, attentions=True),
    Case("vit-cls", "ViTForImageClassification", "no biases of queries, keys and values, eps 1e-3, gelu_new",
         dict(qkv_bias=False, layer_norm_eps=1e-3, hidden_act="gelu_new", **labels("cat", "dog", "neither")), pictures(2, 12, 12)),
    Case("vit-grow", "ViTModel", "positions interpolated for a larger picture that is no square, and no multiple of a patch", {}, pictures(1, 22, 17, **INTERPOLATE)),
    Case("vit-one", "ViTModel", "one channel, one patch, no pooler in the file", dict(num_channels=1, image_size=4), pictures(3, 4, 4, 1), drop_pooler=True),
    Case("vit-pooler", "ViTModel", "a pooler of another width and activation", dict(pooler_output_size=7, pooler_act="gelu"), pictures(1, 12, 12)),
    Case("vit-oblong", "ViTModel", "oblong pictures and patches", dict(image_size=[12, 20], patch_size=[3, 5]), pictures(2, 12, 20)),
    Case("deit-base", "DeiTModel", "all hidden states and attentions", {}, pictures(2, 12, 12), hidden_states=True, attentions=True),
    Case("deit-cls", "DeiTForImageClassification", "three classes", labels("a", "b", "c"), pictures(2, 12, 12)),
    Case("deit-teacher", "DeiTForImageClassificationWithTeacher", "logits are the mean of two", labels("a", "b", "c"), pictures(2, 12, 12)),
    Case("dinov2-model", "Dinov2Model", "all hidden states and attentions", {}, pictures(2, 12, 12), hidden_states=True, attentions=True, states=("pooler_output",)),
    Case("dinov2-oblong", "Dinov2Model", "positions interpolated without being asked", {}, pictures(2, 8, 21), states=("pooler_output",)),
    Case("dinov2-swiglu", "Dinov2Model", "a gated feed-forward network", dict(use_swiglu_ffn=True, mlp_ratio=3), pictures(1, 12, 12), states=("pooler_output",)),
    Case("dinov2-cls", "Dinov2ForImageClassification", "the class token and the mean of the patches", labels("a", "b", "c"), pictures(2, 12, 12)),
    Case("yolos-detect", "YolosForObjectDetection", "positions between layers, hidden states and attentions, the size of training",
         dict(num_hidden_layers=3, **labels("cat", "dog")), pictures(2, 12, 16), hidden_states=True, attentions=True),
    Case("yolos-grow", "YolosForObjectDetection", "all positions interpolated", labels("cat", "dog"), pictures(1, 23, 21)),
    Case("yolos-plain", "YolosForObjectDetection", "no positions between layers", dict(use_mid_position_embeddings=False, **labels("cat", "dog")), pictures(1, 16, 12)),
    Case("yolos-model", "YolosModel", "a pooler", {}, pictures(1, 12, 16)),
]
