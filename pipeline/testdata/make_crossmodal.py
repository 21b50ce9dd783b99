#!/usr/bin/env python3
"""Make the golden folders of models that join texts and pictures: tiny models, and what transformers' pipelines answer.

Run from the repository root, in an environment that has the packages of requirements.txt beside this file, and pillow:

    python pipeline/testdata/make_crossmodal.py

clip holds a checkpoint with its tokenizer and processor, and answers.json about pictures of model/picture/testdata.
"""
import json
import pathlib
import shutil

import torch
import transformers
from tokenizers import pre_tokenizers
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer
from transformers.image_utils import load_image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

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


if __name__ == "__main__":
    clip()
