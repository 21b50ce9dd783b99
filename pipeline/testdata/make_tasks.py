#!/usr/bin/env python3
"""Make the golden folders of tagging and zero-shot classification: tiny models, and what transformers' pipelines answer.

Run from the repository root, in an environment that has the packages of requirements.txt beside this file:

    python pipeline/testdata/make_tasks.py [NAME-PREFIX…]

Each folder is a checkpoint with random weights and answers.json. Offsets, which transformers counts in characters, are
bytes there. Answers are those of float64.
"""
import importlib.util
import json
import pathlib
import shutil
import sys
import zlib

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, pipeline

HERE = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("sentences", HERE / "make_goldens.py")
sentences = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sentences)

TEXTS = sentences.TEXTS + [
    "Anna (Berlin) met re-reader Paris-London , then un-thinking Bob's people; it was fun!",
    " ".join(f"{w} of Paris" for w in "river tower stone light water red green blue old new".split()),
    "Naïve stones: " + "e\u0301clair reading 中文 writers 🪨 and givers, " * 4,
]
MAX = 24
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC", "S-DATE"]


def dump(file, value):
    """JSON with a line an item, two levels deep."""
    rows = ",\n ".join(json.dumps(v, ensure_ascii=False) for v in value)
    file.write_text(f"[\n {rows}\n]\n")


def wordpiece():
    t = Tokenizer(models.WordPiece({p: i for i, p in enumerate(sentences.VOCAB)}, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                                     special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    t.decoder = decoders.WordPiece(prefix="##")
    t.add_special_tokens(sentences.VOCAB[:5])
    return t, dict(unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]")


def byte_level():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=330, special_tokens=special, show_progress=False,
                                                     initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    return t, dict(unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>")


def xlnet():
    """What begins a text ends it here, and has a segment of its own."""
    t, roles = unigram()
    t.post_processor = processors.TemplateProcessing(single="$A:0 [SEP]:0 [CLS]:2", pair="$A:0 [SEP]:0 $B:1 [SEP]:1 [CLS]:2",
                                                     special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t, roles


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC()])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=120, special_tokens=["<pad>", "<unk>", "[CLS]", "[SEP]"], unk_token="<unk>",
                                                         show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                                     special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    t.decoder = decoders.Metaspace()
    return t, dict(unk_token="<unk>", pad_token="<pad>", cls_token="[CLS]", sep_token="[SEP]")


def shape(n):
    return dict(hidden_size=20, num_attention_heads=4, intermediate_size=37, num_hidden_layers=1, vocab_size=n, max_position_embeddings=MAX)


def names(list_):
    return dict(id2label=dict(enumerate(list_)), label2id={n: i for i, n in enumerate(list_)})


def write(name, model, tokenizer, roles, max_len=MAX):
    """The folder of a checkpoint, with weights like trained ones."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.eval()
    with torch.no_grad():
        sentences.checkpoints.fill(model, torch.Generator().manual_seed(zlib.crc32(name.encode())))
        (model.classification_head.out_proj if hasattr(model, "classification_head") else model.classifier).weight.mul_(2)
    model.half().save_pretrained(folder)
    inputs = ["input_ids", "token_type_ids", "attention_mask"] if getattr(model.config, "type_vocab_size", 1) > 1 else ["input_ids", "attention_mask"]
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_len, model_input_names=inputs, **roles).save_pretrained(folder)
    return folder


def task(kind, folder, dtype=torch.float64):
    return pipeline(kind, model=str(folder), tokenizer=str(folder), dtype=dtype, device="cpu")


def entities(text, found):
    """[label, score, start, end] each. Of windows, transformers gives a first entity without letters twice: once here."""
    rows = [[e.get("entity_group") or e["entity"], round(float(e["score"]), 9), *(len(text[:e[k]].encode()) for k in ("start", "end"))] for e in found]
    return rows[1:] if rows[1:] and rows[0] == rows[1] else rows


def tag(name, model_class, config_class, made, **more):
    tokenizer, roles = made
    config = config_class(**{**shape(max(tokenizer.get_vocab().values()) + 1), **names(LABELS), **more})
    folder = write(name, model_class(config), tokenizer, roles)
    run = task("token-classification", folder)
    answers = []
    for text in TEXTS:
        if not text.strip():
            continue
        short = len(tokenizer.encode(text).ids) <= MAX
        row = {"text": text}
        for how in ("none", "simple", "first", "average", "max"):
            if short:
                row[how] = entities(text, run(text, aggregation_strategy=how))
            if how != "none":
                row[how + "-5"] = entities(text, run(text, aggregation_strategy=how, stride=5))
        if short:
            row["all"] = entities(text, run(text, aggregation_strategy="simple", ignore_labels=["PER", "MISC"]))
        answers.append(row)
    dump(folder / "answers.json", answers)
    assert sum(len(a["simple-5"]) for a in answers) > 30, name
    print(name, sum(f.stat().st_size for f in folder.iterdir()))


def tag_bert():
    tag("tag-bert", transformers.BertForTokenClassification, transformers.BertConfig, wordpiece())


def tag_bpe():
    tag("tag-bpe", transformers.RobertaForTokenClassification, transformers.RobertaConfig, byte_level(), max_position_embeddings=MAX + 2, type_vocab_size=1,
        pad_token_id=1)


def tag_unigram():
    tag("tag-unigram", transformers.AlbertForTokenClassification, transformers.AlbertConfig, unigram(), embedding_size=12)


def tag_xlnet():
    tokenizer, roles = xlnet()
    config = transformers.XLNetConfig(**names(LABELS), vocab_size=max(tokenizer.get_vocab().values()) + 1, d_model=20, n_layer=1, n_head=4, d_inner=37)
    config.type_vocab_size = 3  # for write: it takes token types
    folder = write("tag-xlnet", transformers.XLNetForTokenClassification(config), tokenizer, roles)
    run, answers = task("token-classification", folder, torch.float32), []  # XLNet makes float32 positions
    for text in TEXTS:
        if text.strip():
            answers.append({"text": text, "simple-5": entities(text, run(text, aggregation_strategy="simple", stride=5))})
    dump(folder / "answers.json", answers)
    print("tag-xlnet", sum(f.stat().st_size for f in folder.iterdir()))


def nli():
    """Zero-shot classification, and a classifier of three labels by every function."""
    tokenizer, roles = wordpiece()
    config = transformers.BertConfig(**{**shape(max(tokenizer.get_vocab().values()) + 1), **names(["contradiction", "neutral", "Entailment"]), "max_position_embeddings": 40})
    folder = write("nli", transformers.BertForSequenceClassification(config), tokenizer, roles, max_len=40)
    run = task("zero-shot-classification", folder)
    answers = []
    for order in (["contradiction", "neutral", "Entailment"], ["ENTAILMENT", "neutral", "contradiction"]):
        run.model.config.id2label, run.model.config.label2id = names(order).values()
        for labels, more in ((["river", "old tower", "people who read"], {}), (["river", "old tower", "people who read"], {"multi_label": True}), (["stone"], {}),
                             (["small", "big"], {"hypothesis_template": "It is about {} things."})):
            for text in TEXTS:
                if not text:
                    continue  # transformers refuses it
                a = run(text, candidate_labels=labels, **more)
                answers.append({"order": order, "text": text, "labels": labels, "template": more.get("hypothesis_template", ""),
                                "multi": more.get("multi_label", False), "want": [[l, round(s, 9)] for l, s in zip(a["labels"], a["scores"])]})
    dump(folder / "answers.json", answers)
    run = task("text-classification", folder)
    answers = []
    for problem in (None, "single_label_classification", "multi_label_classification", "regression"):
        run.model.config.problem_type = problem
        for function in (None, "softmax", "sigmoid", "none"):
            for top in (None, 1, 2):
                a = run(TEXTS[:2], function_to_apply=function, top_k=top)
                answers.append({"problem": problem or "", "function": function or "default", "top": top or 0, "texts": TEXTS[:2],
                                "want": [[[x["label"], round(x["score"], 9)] for x in row] for row in a]})
    dump(folder / "classified.json", answers)
    print("nli", sum(f.stat().st_size for f in folder.iterdir()))


def nli_bart():
    """Zero-shot classification by an encoder-decoder, of the kind that is used most."""
    tokenizer, roles = byte_level()
    config = transformers.BartConfig(
        **names(["contradiction", "neutral", "entailment"]), vocab_size=max(tokenizer.get_vocab().values()) + 1, d_model=20, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=37, decoder_ffn_dim=29, max_position_embeddings=60, pad_token_id=1, bos_token_id=0,
        eos_token_id=2, decoder_start_token_id=2)
    folder = write("nli-bart", transformers.BartForSequenceClassification(config), tokenizer, roles, max_len=60)
    run = task("zero-shot-classification", folder)
    labels, answers = ["river", "old tower", "people"], []
    for multi in (False, True):
        for text in TEXTS[:8]:
            if text:
                a = run(text, candidate_labels=labels, multi_label=multi)
                answers.append({"order": list(config.id2label.values()), "text": text, "labels": labels, "template": "", "multi": multi,
                                "want": [[l, round(s, 9)] for l, s in zip(a["labels"], a["scores"])]})
    dump(folder / "answers.json", answers)
    print("nli-bart", sum(f.stat().st_size for f in folder.iterdir()))


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for f in (tag_bert, tag_bpe, tag_unigram, tag_xlnet, nli, nli_bart):
        if any(f.__name__.replace("_", "-").startswith(a) for a in sys.argv[1:] or [""]):
            f()


if __name__ == "__main__":
    main()
