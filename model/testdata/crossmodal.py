"""The cases of models that join texts and pictures: their shapes, and which axes of their parameters are which channels."""
import re

import numpy as np
import torch

import seq2seq
import vision
from cases import Case, Part, ids, labels, left_padded, right_padded
from vision import INTERPOLATE, VIT, pictures

TEXT = dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=2, vocab_size=61,
            max_position_embeddings=24, projection_dim=9, eos_token_id=60, bos_token_id=59, pad_token_id=0)
VISION = dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=2, image_size=12, patch_size=4, projection_dim=9)

# By the beginning of the class: the config class and its small shape.
FAMILIES = {
    "CLIPText": ("CLIPTextConfig", TEXT),
    "CLIPVision": ("CLIPVisionConfig", VISION),
    "CLIP": ("CLIPConfig", dict(projection_dim=9)),
    "VisionEncoderDecoder": ("VisionEncoderDecoderConfig", dict(decoder_start_token_id=3, pad_token_id=0, eos_token_id=4)),
}

GPT2 = dict(model_type="gpt2", n_embd=24, n_head=3, n_inner=37, n_layer=2, vocab_size=61, n_positions=40, is_decoder=True, add_cross_attention=True,
            bos_token_id=3, eos_token_id=4)
TROCR = dict(model_type="trocr", d_model=24, decoder_attention_heads=3, decoder_ffn_dim=37, decoder_layers=2, vocab_size=61, max_position_embeddings=40,
             is_decoder=True, add_cross_attention=True, pad_token_id=1, bos_token_id=3, eos_token_id=4)
BERT = dict(model_type="bert", hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=2, vocab_size=61,
            max_position_embeddings=40, is_decoder=True, add_cross_attention=True)


def both(text={}, vision={}, **more):
    """The config of a CLIPModel, whose towers differ in width."""
    return dict(text_config={**TEXT, **text}, vision_config={**VISION, "hidden_size": 24, "num_attention_heads": 3, **vision}, **more)


def parts(conf):
    if conf.model_type == "vision-encoder-decoder":
        if conf.encoder.hidden_size == conf.decoder.hidden_size:
            return [Part("", conf.encoder, "")]
        reads = ["encoder.", "enc_to_dec_proj"]
        if getattr(conf.decoder, "cross_attention_hidden_size", None):
            reads += [f"decoder.model.decoder.layers.{i}.encoder_attn.{p}_proj.weight" for i in range(conf.decoder.decoder_layers) for p in "kv"]
        return [Part(tuple(reads), conf.encoder, "encoder_"), Part("decoder.", conf.decoder, "decoder_")]
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


# The same of decoders, where the encoder is as wide. Where it is not, what it gives keeps its order.
DECODER_AXES = [
    (r"(wte|wpe|word_embeddings|position_embeddings|token_type_embeddings)\.weight", (None, "h")),
    (r"(ln_\w+|LayerNorm|lm_head\.layer_norm)\.(weight|bias)", ("h",)),
    (r"(attn\.c_attn|q_attn|c_fc)\.weight", ("h", None)),
    (r"(attn|attention|mlp)\.c_proj\.weight", (None, "h")),
    (r"(attn|attention|mlp)\.c_proj\.bias", ("h",)),
    (r"attention\.self\.(query|key|value)\.weight", (None, "h")),
    (r"output\.dense\.weight", ("h", None)),
    (r"output\.dense\.bias", ("h",)),
    (r"(intermediate\.dense|lm_head|output_projection|embed_tokens|embed_positions|[qkv]_proj|fc1)\.weight", (None, "h")),
    (r"(out_proj|fc2)\.weight", ("h", None)),
    (r"(out_proj|fc2)\.bias", ("h",)),
    (r"(layer_norm|layernorm_embedding)\.(weight|bias)", ("h",)),
    (r"(transform|lm_head)\.dense\.weight", ("h", "h")),
    (r"(transform|lm_head)\.dense\.bias", ("h",)),
    (r"predictions\.decoder\.weight", (None, "h")),
]


def axes(name, case):
    if name.startswith("enc_to_dec_proj"):
        return (None, "h")[: 2 if name.endswith("weight") else 1]
    if case.arch.startswith("VisionEncoderDecoder"):
        found = next((which for pattern, which in DECODER_AXES if re.search("(" + pattern + ")$", name)), (None, None))
        if re.search(r"(crossattention\.(c_attn|self\.key|self\.value)|encoder_attn\.[kv]_proj)\.weight$", name):
            d, reads = case.config["decoder"], ("h", None) if "c_attn" in name else (None, "h")
            width = d.get("n_embd", d.get("d_model", d.get("hidden_size")))
            return reads if case.config["encoder"]["hidden_size"] in (width, d.get("cross_attention_hidden_size")) else (None, None)
        if name.startswith("decoder."):
            return found
        if not case.config["encoder"]["model_type"].startswith("clip"):
            return vision.axes(name, case)
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


def masked_ends(rng, conf):
    """Four texts of which the mask hides the end: after all, between others, and not at all."""
    out = rng.integers(1, conf.vocab_size - 1, (4, 8)).astype(np.int64)
    mask = right_padded((3, 8, 5, 8))
    for row, at in enumerate((5, 2, 5, 7)):
        out[row, at] = conf.vocab_size - 1
    mask[1, 2] = mask[3, 0] = mask[3, 4] = 0
    return {"input_ids": out, "attention_mask": mask}


def until(*lengths):
    return lambda ids: right_padded(lengths)


def from_the_left(*lengths):
    return lambda ids: left_padded(lengths)


def decoding(picture, *lengths, side=right_padded):
    """A picture for each text that the decoder reads."""
    def f(rng, conf):
        mask = side(lengths)
        out = picture(rng, conf) | {"decoder_input_ids": ids(rng, conf.decoder, *mask.shape) * mask}
        return out | ({"decoder_attention_mask": mask} if min(lengths) < max(lengths) else {})
    return f


def captioner(encoder, decoder, **more):
    return dict(encoder=encoder, decoder=decoder, **more)


def train(model, gen, pixels):
    """A little training on each picture, so that what is generated depends on it and does not repeat."""
    conf = model.config
    target = torch.randint(5, conf.decoder.vocab_size, (len(pixels), 30), generator=gen)
    read = torch.cat([torch.full((len(pixels), 1), conf.decoder_start_token_id), target[:, :-1]], 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(120):
        logits = model(pixel_values=pixels, decoder_input_ids=read).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def written(model, pixels, n=24):
    """What generate() writes about each picture alone, greedily and with 4 beams; None if one was a close call, or it repeats a few."""
    plain = dict(do_sample=False, max_new_tokens=n)
    out = []
    for picture in pixels[:, None].double():
        r = model.generate(pixel_values=picture, num_beams=1, eos_token_id=None, output_scores=True, return_dict_in_generate=True, **plain)
        tokens = r.sequences[0].tolist()
        gaps = [float(s[0].topk(2).values.diff().abs()) for s in r.scores]
        if len(set(tokens)) < 6 or min(gaps) < 1e-2:
            return None
        beams = model.generate(pixel_values=picture, num_beams=4, **plain)[0].tolist()
        out.append({"greedy": tokens, "beams": beams})
    return out


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
    Case("clip-text-masked", "CLIPTextModelWithProjection", "ends that are masked, behind the text and in it", OLD,
         masked_ends, hidden_states=True, attentions=True),
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
    Case("caption-gpt2", "VisionEncoderDecoderModel", "a wider decoder, all that both give, what is written about each picture",
         captioner(dict(VIT, model_type="vit"), GPT2), decoding(pictures(2, 12, 12), 5, 3), hidden_states=True, attentions=True, writes=True),
    Case("caption-gpt2-scaled", "VisionEncoderDecoderModel", "as wide as the decoder, scores scaled by layer, one token, a picture of another size",
         captioner(dict(VIT, model_type="vit", hidden_size=24, num_attention_heads=3), dict(GPT2, scale_attn_by_inverse_layer_idx=True)),
         decoding(pictures(1, 17, 22, **INTERPOLATE), 1)),
    Case("caption-trocr", "VisionEncoderDecoderModel", "TrOCR, which attends to the encoder's width; scaled words without a norm, what is written",
         captioner(dict(VIT, model_type="deit", qkv_bias=False), dict(TROCR, cross_attention_hidden_size=20, scale_embedding=True, layernorm_embedding=False)),
         decoding(pictures(2, 12, 12), 5, 3), attentions=True, writes=True),
    Case("caption-trocr-plain", "VisionEncoderDecoderModel", "a projected encoder, a norm of the words, a matrix of its own",
         captioner(dict(VIT, model_type="vit"), dict(TROCR, tie_word_embeddings=False)), decoding(pictures(1, 12, 12), 4)),
    Case("caption-bert", "VisionEncoderDecoderModel", "DeiT and BERT, padding on the left of what the decoder reads, what is written",
         captioner(dict(VIT, model_type="deit"), BERT), decoding(pictures(2, 12, 12), 6, 4, side=left_padded), attentions=True, writes=True),
    Case("caption-clip", "VisionEncoderDecoderModel", "CLIP's tower, without its last norm, and RoBERTa",
         captioner(dict(VISION, model_type="clip_vision_model", hidden_size=24, num_attention_heads=3), dict(BERT, model_type="roberta", pad_token_id=1)),
         decoding(pictures(2, 12, 12), 4, 4)),
]
