#!/usr/bin/env python3
"""random_models.py NAME DIR: a model of the given shapes with random weights, as a Hugging Face folder; or a photograph.

Where a peer needs another form it lies in the folder too: model.onnx for ONNX Runtime and OpenVINO, ct2 for CTranslate2.
"""
import pathlib
import sys
import warnings

import torch
import transformers as tf

SHAPES = {
    "gpt2": lambda: tf.GPT2LMHeadModel(tf.GPT2Config()),
    "xlnet-base": lambda: tf.XLNetModel(tf.XLNetConfig(d_model=768, n_layer=12, n_head=12, d_inner=3072)),
    "albert-base": lambda: tf.AlbertModel(tf.AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072)),
    "vit-base": lambda: tf.ViTModel(tf.ViTConfig(), add_pooling_layer=False),
    "clip-b32": lambda: tf.CLIPModel(tf.CLIPConfig()),
    "t5-small": lambda: tf.T5ForConditionalGeneration(tf.T5Config(vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8,
                                                                 decoder_start_token_id=0)),
    # The original's base shapes, in the form in which transformers runs them: Marian is post-norm, with sinusoids.
    "transformer-base": lambda: tf.MarianMTModel(tf.MarianConfig(
        vocab_size=37000, d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8, decoder_attention_heads=8,
        encoder_ffn_dim=2048, decoder_ffn_dim=2048, activation_function="relu", scale_embedding=True, max_position_embeddings=512,
        pad_token_id=36999, eos_token_id=0, decoder_start_token_id=36999, forced_eos_token_id=None)),
}


def unigram(folder, vocab):
    """A tokenizer of so many words, which CTranslate2's converter asks for."""
    import tokenizers

    words = ["<pad>", "</s>", "<unk>", *(f"w{i}" for i in range(3, vocab))]
    t = tokenizers.Tokenizer(tokenizers.models.Unigram([(w, -float(i)) for i, w in enumerate(words)], unk_id=2))
    tf.PreTrainedTokenizerFast(tokenizer_object=t, pad_token="<pad>", eos_token="</s>", unk_token="<unk>").save_pretrained(folder)


def ctranslate2(folder):
    from ctranslate2.converters import TransformersConverter

    unigram(folder, 32128)
    TransformersConverter(str(folder)).convert(str(folder / "ct2"), force=True)


def onnx(folder, model):
    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pixel_values):
            return self.model(pixel_values=pixel_values).last_hidden_state

    warnings.simplefilter("ignore")
    torch.onnx.export(Plain(), (torch.zeros(1, 3, 224, 224),), str(folder / "model.onnx"), input_names=["pixel_values"],
                      output_names=["last_hidden_state"], dynamic_axes={"pixel_values": {0: "batch"}}, opset_version=17, dynamo=False)


def photograph(folder):
    """Not a model: a JPEG of 12 megapixels with what photographs have, coarse and fine structure (a spectrum of 1/f), colour and grain."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    height, width = 3000, 4000
    fall = np.maximum(np.hypot(*np.meshgrid(np.fft.fftfreq(height) * height, np.fft.rfftfreq(width) * width, indexing="ij")), 2) ** -1.1
    planes = []
    for _ in range(3):
        noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((height, width))) * fall, (height, width))
        planes.append(noise / noise.std())
    light, red, blue = planes
    image = np.stack([light + 0.4 * red, light, light + 0.4 * blue], -1) * 45 + 120 + rng.normal(0, 2, (height, width, 1))
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / "photograph.jpg", quality=90)


def main(name, folder):
    folder = pathlib.Path(folder)
    if name == "photograph":
        return photograph(folder)
    torch.manual_seed(0)
    model = SHAPES[name]().eval()
    model.save_pretrained(folder)
    if name == "t5-small":
        ctranslate2(folder)
    if name == "vit-base":
        onnx(folder, model)


if __name__ == "__main__":
    main(*sys.argv[1:3])
