#!/usr/bin/env python3
"""Make the folders to-…: tiny encoder-decoders with tokenizers, and what transformers' translation and summarization pipelines write with them.

Run from the repository root, in an environment with torch and transformers 4.57, the last that has these pipelines:

    python pipeline/testdata/make_rewrites.py [NAME…]

The models have learned for some seconds to write one of the sentences of sentences.txt for another. Only cases that
float64 decides as float32 does are kept. Training is deterministic for one version of torch on one machine.
"""
import copy
import json
import pathlib
import random
import shutil
import sys
import zlib

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import pipeline

HERE = pathlib.Path(__file__).parent
SENTENCES = [s for s in (HERE / "sentences.txt").read_text().splitlines() if 3 <= len(s.split()) <= 9 and s.isascii() and len(s) < 50][:48]


def unigram(special, template, ids):
    tok = Tokenizer(models.Unigram())
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tok.train_from_iterator(SENTENCES, trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False))
    tok.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return tok


def t5():
    tok = unigram(["<pad>", "</s>", "<unk>"], "$A </s>", [("</s>", 1)])
    config = transformers.T5Config(
        d_model=32, d_kv=8, d_ff=48, num_heads=4, num_layers=1, vocab_size=300, decoder_start_token_id=0, relative_attention_num_buckets=8,
        task_specific_params={
            "summarization": {"early_stopping": True, "length_penalty": 2.0, "max_length": 200, "min_length": 6, "no_repeat_ngram_size": 3,
                              "num_beams": 4, "prefix": "summarize: "},
            "translation_en_to_de": {"early_stopping": True, "max_length": 300, "num_beams": 4, "prefix": "translate English to German: "},
            "translation_en_to_fr": {"num_beams": 2, "max_length": 300, "prefix": "translate English to French: "},
        })
    return transformers.T5ForConditionalGeneration(config), tok, {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "model_max_length": 40}, {}


def marian():
    tok = unigram(["</s>", "<unk>", ">>fra<<", ">>ron<<", "<pad>"], "$A </s>", [("</s>", 0)])
    config = transformers.MarianConfig(
        d_model=32, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, encoder_layers=1, decoder_layers=1,
        vocab_size=300, max_position_embeddings=48, pad_token_id=4, eos_token_id=0, decoder_start_token_id=4, forced_eos_token_id=0, scale_embedding=True)
    generation = {"max_length": 32, "num_beams": 3, "bad_words_ids": [[4]]}
    return transformers.MarianMTModel(config), tok, {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}, generation


def bart():
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tok.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
                                                           initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    config = transformers.BartConfig(
        d_model=32, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, encoder_layers=1, decoder_layers=1,
        vocab_size=400, max_position_embeddings=48, prefix=" ")
    generation = {"max_length": 28, "min_length": 8, "num_beams": 4, "length_penalty": 2.0, "early_stopping": True, "no_repeat_ngram_size": 3,
                  "forced_bos_token_id": 0, "forced_eos_token_id": 2}
    roles = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
    return transformers.BartForConditionalGeneration(config), tok, roles, generation


def mbart():
    languages = ["en_XX", "fr_XX", "ro_RO"]
    tok = unigram(["<s>", "<pad>", "</s>", "<unk>"] + languages, "$A </s> en_XX", [("</s>", 2), ("en_XX", 4)])
    config = transformers.MBartConfig(
        d_model=32, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, encoder_layers=1, decoder_layers=1,
        vocab_size=300, max_position_embeddings=48, decoder_start_token_id=2)
    return transformers.MBartForConditionalGeneration(config), tok, {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}, {"num_beams": 2, "max_length": 30}


FOLDERS = {"to-t5": t5, "to-marian": marian, "to-bart": bart, "to-mbart": mbart}


def train(model, tok, settings):
    torch.manual_seed(1)
    pad, eos = (tok.token_to_id(settings[k]) for k in ("pad_token", "eos_token"))
    steps = 400
    opt = torch.optim.AdamW(model.parameters(), lr=1e-2)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, 1e-2, total_steps=steps)
    rng = random.Random(1)
    rows = [tok.encode(s).ids[:36] for s in SENTENCES]
    targets = [rows[(7 * i + 3) % len(rows)] for i in range(len(rows))]
    model.train()
    fit = lambda batch: torch.tensor([r + [pad] * (max(map(len, batch)) - len(r)) for r in batch])
    for _ in range(steps):
        some = rng.sample(range(len(rows)), 16)
        ids, labels = fit([rows[i] for i in some]), fit([targets[i] for i in some])
        loss = model(input_ids=ids, attention_mask=(ids != pad).long(), labels=labels.masked_fill(labels == pad, -100)).loss
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    print(type(model).__name__, "loss", loss.item(), flush=True)
    model.eval()


def cases(name, root, tok, settings):
    rng = random.Random(5)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(root / "tokenizer.json"), model_input_names=["input_ids", "attention_mask"], **settings)
    out = []
    models_ = [transformers.AutoModelForSeq2SeqLM.from_pretrained(root, dtype=t) for t in (torch.float32, torch.float64)]

    def case(task, text, source="", target="", forced=None, edit=lambda ids: ids, kwargs={}):
        got, options = [], kwargs
        # What generation_config.json says goes before the pipelines' own 4 beams, as their documentation has it; their code does not.
        if "num_beams" not in kwargs and models_[0].generation_config.num_beams > 1:
            kwargs = {**kwargs, "num_beams": models_[0].generation_config.num_beams}
        for model in models_:
            p = pipeline(task, model=copy.deepcopy(model), tokenizer=tokenizer, device="cpu")
            inputs = p.preprocess(text)
            ids = torch.tensor([edit(inputs["input_ids"][0].tolist())])
            if ids.shape[1] > tokenizer.model_max_length:
                return  # Ladon reads such texts in parts
            if forced is not None:
                p.generation_config.forced_bos_token_id = forced
            generated = p._forward({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, **kwargs)
            got.append(p.postprocess(generated)[0][p.return_name + "_text"])
        if got[0] == got[1]:
            out.append({"task": task, "text": text, "source": source, "target": target, "options": options, "want": got[0]})

    for text in rng.sample(SENTENCES, 12) + ["Élodie 東京 🦆!", "a"]:
        options = rng.choice([{}, {}, {"num_beams": 1}, {"max_new_tokens": 5}, {"num_beams": 3, "length_penalty": 0.3, "early_stopping": "never"}])
        if name == "to-t5":
            case("summarization", text, kwargs=options)
            case("translation_en_to_de", text, "en", "de", kwargs=options)
            case("translation_en_to_fr", text, "", "fr", kwargs=options)
            # "translation" would get the prefix of translation_en_to_de once more.
            case("text2text-generation", "translate English to German: " + text, kwargs=options)
        elif name == "to-marian":
            case("translation", text, kwargs=options)
            case("translation", text, "", "fra", edit=lambda ids: [2] + ids, kwargs=options)
        elif name == "to-mbart":
            case("translation", text, kwargs=options)
            case("translation", text, "ro_RO", "fr_XX", forced=5, edit=lambda ids: ids[:-1] + [6], kwargs=options)
        else:
            case("summarization", text, kwargs=options)
            case("translation", text, kwargs=options)
    return out


def make(name):
    root = HERE / name
    shutil.rmtree(root, ignore_errors=True)
    torch.manual_seed(zlib.crc32(name.encode()))
    model, tok, settings, generation = FOLDERS[name]()
    train(model, tok, settings)
    model.generation_config.update(**generation)
    model.to(torch.bfloat16).save_pretrained(root)
    tok.save(str(root / "tokenizer.json"), pretty=False)
    (root / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    out = cases(name, root, tok, settings)
    (root / "golden.json").write_text("[\n " + ",\n ".join(json.dumps(c, ensure_ascii=False) for c in out) + "\n]\n")
    print(name, len(out), "cases", len({c["want"] for c in out}), "different", flush=True)


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in sys.argv[1:] or FOLDERS:
        make(name)


if __name__ == "__main__":
    main()
