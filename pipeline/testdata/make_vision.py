#!/usr/bin/env python3
"""Make the golden folders of picture models and classifiers: tiny models, and what transformers' pipelines answer.

Run from the repository root, in an environment that has the packages of requirements.txt beside this file, and pillow:

    python pipeline/testdata/make_vision.py

vit and yolos hold a checkpoint with its preprocessor_config.json and answers.json about pictures of
model/picture/testdata; ce-three gets the scores of its labels for the texts of texts.json.
"""
import json
import pathlib
import shutil

import torch
import transformers
from transformers import ViTConfig, ViTForImageClassification, YolosConfig, YolosForObjectDetection
from transformers.image_utils import load_image
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

HERE = pathlib.Path(__file__).parent
PICTURES = HERE.parent.parent / "model" / "picture" / "testdata"
NAMES = ["rgb.png", "turned.png", "palette.png"]
SHAPE = dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=2, patch_size=4)
transformers.logging.set_verbosity_error()


def labels(*names):
    return dict(id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})


def make(name, model, processor, answer):
    torch.manual_seed(3)
    for n, p in model.named_parameters():
        torch.nn.init.normal_(p, std=0.6 if p.dim() > 1 else 0.3)
    if name == "yolos":  # or hardly anything is ever found
        model.class_labels_classifier.layers[-1].bias.data[-1] = -8
    model.eval()
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    answers = {}
    for picture in NAMES:
        image = load_image(str(PICTURES / picture))
        with torch.no_grad():
            answers[picture] = answer(model.double(), image, processor(images=[image], return_tensors="pt")["pixel_values"].double())
    (folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")


def classify(model, image, pixels):
    r = model(pixels, output_hidden_states=True)
    scores = r.logits.softmax(-1)[0]
    order = scores.argsort(descending=True)
    return {"labels": [[model.config.id2label[int(i)], float(scores[i])] for i in order],
            "embedding": model.vit(pixels).last_hidden_state[0, 0].tolist()}


def detect(model, image, pixels):
    out = model(pixels)
    found = YolosImageProcessorPil().post_process_object_detection(out, threshold=0.1, target_sizes=[(image.height, image.width)])[0]
    order = found["scores"].argsort(descending=True)
    return [[model.config.id2label[int(found["labels"][i])], float(found["scores"][i]), *found["boxes"][i].tolist()] for i in order]


make("vit", ViTForImageClassification(ViTConfig(image_size=12, **SHAPE, **labels("cat", "dog", "neither"))), ViTImageProcessorPil(size={"height": 12, "width": 12}), classify)
make("yolos", YolosForObjectDetection(YolosConfig(image_size=[12, 16], num_detection_tokens=5, **SHAPE, **labels("cat", "dog"))),
     YolosImageProcessorPil(size={"shortest_edge": 16, "longest_edge": 40}, do_pad=False), detect)

texts = json.loads((HERE / "texts.json").read_text())["texts"]
tokenizer = transformers.AutoTokenizer.from_pretrained(HERE / "ce-three")
model = transformers.AutoModelForSequenceClassification.from_pretrained(HERE / "ce-three", dtype=torch.float64).eval()
answers = []
for text in texts:
    with torch.no_grad():
        scores = model(**tokenizer(text, return_tensors="pt", truncation=True, max_length=model.config.max_position_embeddings)).logits.softmax(-1)[0]
    answers.append([[model.config.id2label[int(i)], float(scores[i])] for i in scores.argsort(descending=True)])
(HERE / "ce-three" / "labels.json").write_text(json.dumps(answers, indent=1) + "\n")
