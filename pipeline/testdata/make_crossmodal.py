#!/usr/bin/env python3
"""Make the golden folders of models that join texts and pictures: tiny models, and what transformers' pipelines answer.

Run from the repository root, in an environment that has the packages of requirements.txt beside this file, and pillow:

    python pipeline/testdata/make_crossmodal.py

clip and caption hold a checkpoint with its tokenizer and processor, and answers.json about pictures of model/picture/testdata.
"""
import json
import pathlib
import shutil

import torch
import transformers
from tokenizers import pre_tokenizers
from transformers import (CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer, GPT2Config, GPT2Tokenizer, ViTConfig,
                          VisionEncoderDecoderConfig, VisionEncoderDecoderModel)
from transformers.image_utils import load_image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

HERE = pathlib.Path(__file__).parent
PICTURES = HERE.parent.parent / "model" / "picture" / "testdata"
NAMES = ["rgb.png", "turned.png", "palette.png"]
LABELS = ["a cat", "two dogs", "Neither", ""]
LONG = "this is a photo of nothing at all, or so they say " * 3
transformers.logging.set_verbosity_error()


def tokenizer():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("i", "s</w>"), ("th", "is</w>"), ("o", "f</w>"), ("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g"), ("dog", "s</w>"), ("p", "h"), ("ph", "o"), ("t", "o</w>"), ("pho", "to</w>")]
    tokens = letters + [c + "</w>" for c in letters] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, model_max_length=24)


def clip():
    shape = dict(num_attention_heads=4, intermediate_size=37, num_hidden_layers=2, projection_dim=9)
    words = tokenizer()
    text = dict(hidden_size=20, vocab_size=len(words), max_position_embeddings=24, eos_token_id=words.eos_token_id, **shape)
    torch.manual_seed(3)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=dict(hidden_size=24, image_size=12, patch_size=4, **shape), projection_dim=9)).eval()
    for p in model.parameters():
        if p.dim() > 0:
            torch.nn.init.normal_(p, std=0.5 if p.dim() > 1 else 0.3)
    processor = CLIPProcessor(CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size={"height": 12, "width": 12}), words)
    folder = HERE / "clip"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    model.double()

    def run(texts, image):
        inputs = processor(text=texts, images=[image], return_tensors="pt", padding=True, truncation=True)
        inputs["pixel_values"] = inputs["pixel_values"].double()
        with torch.no_grad():
            out = model(**inputs)
            image_features = model.get_image_features(pixel_values=inputs["pixel_values"]).pooler_output
            text_features = model.get_text_features(**{k: inputs[k] for k in ("input_ids", "attention_mask")}).pooler_output
        return out, image_features[0].tolist(), text_features.tolist()

    answers = {"texts": LABELS + [LONG], "pictures": {}}
    for name in NAMES:
        image = load_image(str(PICTURES / name))
        out, features, answers["embeddings"] = run(answers["texts"], image)
        labels, _, _ = run([f"This is a photo of {label}." for label in LABELS], image)
        scores = labels.logits_per_image.softmax(-1)[0]
        answers["pictures"][name] = {
            "embedding": features, "logits": out.logits_per_image[0].tolist(),
            "labels": [[LABELS[int(i)], float(scores[i])] for i in scores.argsort(descending=True)],
        }
    (folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")


CAPTIONS = {"rgb.png": "a cat", "turned.png": "two dogs asleep on the floor", "palette.png": "naïve: Neither"}


def caption():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "d"), ("c", "a"), ("o", "g"), ("t", "h"), ("th", "e")]
    tokens = ["<|endoftext|>"] + letters + ["".join(m) for m in merges]
    words = GPT2Tokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, model_max_length=40, pad_token="<|endoftext|>")
    torch.manual_seed(3)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        ViTConfig(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=1, image_size=12, patch_size=4),
        GPT2Config(n_embd=24, n_head=3, n_layer=1, n_inner=37, n_positions=40, vocab_size=len(words), bos_token_id=0, eos_token_id=0),
        decoder_start_token_id=0, eos_token_id=0, pad_token_id=0)
    model = VisionEncoderDecoderModel(config).eval()
    processor = ViTImageProcessorPil(size={"height": 12, "width": 12})
    pixels = torch.cat([processor(images=[load_image(str(PICTURES / n))], return_tensors="pt")["pixel_values"] for n in CAPTIONS])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    ids = [[0] + words(c).input_ids + [0] for c in CAPTIONS.values()]
    for _ in range(400):
        loss = 0
        for picture, text in zip(pixels, ids):
            logits = model(pixel_values=picture[None], decoder_input_ids=torch.tensor([text[:-1]])).logits[0]
            loss = loss + torch.nn.functional.cross_entropy(logits, torch.tensor(text[1:]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.generation_config.max_length = 24
    folder = HERE / "caption"
    shutil.rmtree(folder, ignore_errors=True)
    for part in (model, words, processor):
        part.save_pretrained(folder)
    model.double()
    answers = {}
    for name, picture in zip(CAPTIONS, pixels.double()):
        write = lambda **how: words.decode(model.generate(pixel_values=picture[None], do_sample=False, **how)[0], skip_special_tokens=True)
        answers[name] = {"greedy": write(), "beams": write(num_beams=3), "short": write(max_new_tokens=4)}
    (folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")
    print(answers)


if __name__ == "__main__":
    clip()
    caption()
