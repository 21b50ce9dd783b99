"""The cases of models that join texts and pictures: their shapes, and which axes of their parameters are which channels."""
import re

import numpy as np
from cases import Case, Part, labels, left_padded, right_padded
from vision import INTERPOLATE, pictures

TEXT = dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=2, vocab_size=61,
            max_position_embeddings=24, projection_dim=9, eos_token_id=60, bos_token_id=59, pad_token_id=0)
VISION = dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=2, image_size=12, patch_size=4, projection_dim=9)

# By the beginning of the class: the config class and its small shape.
FAMILIES = {
    "CLIPText": ("CLIPTextConfig", TEXT),
    "CLIPVision": ("CLIPVisionConfig", VISION),
    "CLIP": ("CLIPConfig", dict(projection_dim=9)),
}


def both(text={}, vision={}, **more):
    """The config of a CLIPModel, whose towers differ in width."""
    return dict(text_config={**TEXT, **text}, vision_config={**VISION, "hidden_size": 24, "num_attention_heads": 3, **vision}, **more)


def parts(conf):
    if conf.model_type != "clip":
        return [Part("", conf, "")]
    return [Part(("text_", "logit_scale"), conf.text_config, "text_model_output."),
            Part(("vision_", "visual_", "classifier"), conf.vision_config, "vision_model_output.")]

# Which channels the axes of a parameter follow, by the end of its name: h(idden), f(eed-forward) or None.
AXES = [
    (r"class_embedding", ("h",)),
    (r"patch_embedding\.weight", ("h",)),
    (r"(position|token)_embedding\.weight", (None, "h")),
    (r"[qkv]_proj\.weight", (None, "h")),
    (r"out_proj\.weight", ("h", None)),
    (r"out_proj\.bias", ("h",)),
    (r"fc1\.weight", ("f", "h")),
    (r"fc1\.bias", ("f",)),
    (r"fc2\.weight", ("h", "f")),
    (r"fc2\.bias", ("h",)),
    (r"(norm\w*|layernorm|layrnorm)\.(weight|bias)", ("h",)),
    (r"(text|visual)_projection\.weight", (None, "h")),
    (r"classifier\.weight", (None, "h")),
]


def axes(name, case):
    for pattern, which in AXES:
        if re.search(pattern + "$", name):
            return which
    return (None, None)


def texts(*ends, width=8, mask=None, highest=False):
    """Rows that end at these places, after which the end repeats, as padding, or where it is the highest, anything follows."""
    def f(rng, conf):
        conf = getattr(conf, "text_config", conf)
        end = conf.vocab_size - 1
        out = rng.integers(1, end, (len(ends), width)).astype(np.int64)
        for row, at in zip(out, ends):
            if at is not None:
                row[at] = end
                if not highest:
                    row[at:] = end
        return {"input_ids": out} | ({} if mask is None else {"attention_mask": mask(out)})
    return f


def until(*lengths):
    return lambda ids: right_padded(lengths)


def from_the_left(*lengths):
    return lambda ids: left_padded(lengths)


OLD = dict(eos_token_id=2)


def together(text, picture):
    return lambda rng, conf: text(rng, conf) | picture(rng, conf)


def said_twice(conf):
    """An old file, which says of the towers what differs from the defaults a second time, and that counts."""
    conf["text_config_dict"] = {k: v for k, v in conf["text_config"].items() if k in TEXT}
    conf["text_config"] = {"hidden_size": 512, "vocab_size": 49408, "eos_token_id": 2}
    conf["vision_config_dict"] = None

CASES = [
    Case("clip-text", "CLIPTextModel", "two layers, head size 5, ends at several places, all hidden states and attentions",
         {}, texts(7, 0, 3, mask=until(8, 1, 4)), hidden_states=True, attentions=True, states=("pooler_output",)),
    Case("clip-text-old", "CLIPTextModel", "the end is the highest id of a row", OLD, texts(5, None, 2, highest=True), states=("pooler_output",)),
    Case("clip-text-none", "CLIPTextModel", "rows without an end give their first token", {}, texts(None, 4, None), states=("pooler_output",)),
    Case("clip-text-one", "CLIPTextModelWithProjection", "one token, no mask", {}, texts(0, width=1)),
    Case("clip-text-full", "CLIPTextModelWithProjection", "as long as the model takes, eps 1e-3, gelu",
         dict(layer_norm_eps=1e-3, hidden_act="gelu"), texts(23, 11, width=24)),
    Case("clip-text-left", "CLIPTextModelWithProjection", "padding on the left, of other ids", {}, texts(7, 7, 7, mask=from_the_left(8, 3, 1))),
    Case("clip-vision", "CLIPVisionModel", "two layers, head size 5, all hidden states and attentions", {}, pictures(2, 12, 12),
         hidden_states=True, attentions=True, states=("pooler_output",)),
    Case("clip-vision-row", "CLIPVisionModelWithProjection", "one row of patches, positions interpolated", {}, pictures(2, 5, 18, **INTERPOLATE)),
    Case("clip-vision-one", "CLIPVisionModelWithProjection", "one patch, one channel, gelu_new, another eps",
         dict(image_size=4, num_channels=1, hidden_act="gelu_new", layer_norm_eps=1e-3), pictures(3, 4, 4, 1)),
    Case("clip-vision-odd", "CLIPVisionModel", "patches that leave a margin", dict(image_size=14), pictures(1, 14, 14), states=("pooler_output",)),
    Case("clip-model", "CLIPModel", "towers of several widths, all that both give", both(),
         together(texts(7, 1, 3, mask=until(8, 2, 4)), pictures(2, 12, 12)), hidden_states=True, attentions=True),
    Case("clip-model-old", "CLIPModel", "an old config.json, one text of one token, positions of the picture interpolated",
         both(dict(num_hidden_layers=1)), together(texts(0, width=1), pictures(3, 9, 14, **INTERPOLATE)), edit_config=said_twice),
    Case("clip-cls", "CLIPForImageClassification", "the mean of the patches", both(**labels("a", "b", "c")), pictures(2, 12, 12)),
]
