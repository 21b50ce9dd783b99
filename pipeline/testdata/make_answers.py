#!/usr/bin/env python3
"""Make the folders qa-… and mlm-…: tiny models that answer questions or fill masks, and what transformers' pipelines give.

Run from the repository root, in an environment with torch and transformers 5.0, whose pipelines still answer questions
(later ones dropped that task; its rules had not changed since 4.48):

    python pipeline/testdata/make_answers.py [NAME…]

Weights are random, and so are the answers, but they are decided: a case that float32 and float64 decide differently is
left out. Offsets are in bytes. Scores are float64's; float32_error is the largest difference of float32's.
"""
import inspect
import json
import pathlib
import random
import shutil
import sys
import zlib

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
SENTENCES = (HERE / "sentences.txt").read_text().splitlines()


def wordpiece():
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    tok.train_from_iterator(SENTENCES, trainers.WordPieceTrainer(vocab_size=500, limit_alphabet=90, show_progress=False,
                                                                 special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    tok.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                                       special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    # Names of roles are left to what the files of BERT's time leave them to.
    return tok, {"model_max_length": 64}


def bytelevel(template=True, **config):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if template else ["<|endoftext|>"]
    tok.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False,
                                                           initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    if template:
        tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return tok, {"model_max_length": 64, **config}


def bert(arch):
    shape = dict(hidden_size=16, num_attention_heads=2, intermediate_size=24, num_hidden_layers=1, vocab_size=500, max_position_embeddings=64)
    return arch, transformers.BertConfig(**shape), wordpiece()


def roberta(arch):
    shape = dict(hidden_size=16, num_attention_heads=2, intermediate_size=24, num_hidden_layers=1, vocab_size=400, max_position_embeddings=66,
                 type_vocab_size=1, pad_token_id=1)
    roles = dict(bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>", mask_token="<mask>", unk_token="<unk>")
    return arch, transformers.RobertaConfig(**shape), bytelevel(**roles)


def gpt2(arch, **config):
    shape = dict(n_embd=16, n_head=2, n_layer=1, vocab_size=400, n_positions=64)
    return arch, transformers.GPT2Config(**shape), bytelevel(template=False, pad_token="<|endoftext|>", **config)


def bart(arch):
    shape = dict(d_model=16, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, encoder_layers=1, decoder_layers=1)
    *_, tok = roberta(arch)
    return arch, transformers.BartConfig(**shape, vocab_size=400, max_position_embeddings=64), tok


def t5(arch):
    shape = dict(d_model=16, d_kv=8, d_ff=24, num_heads=2, num_layers=1, relative_attention_num_buckets=8)
    *_, tok = roberta(arch)
    return arch, transformers.T5Config(**shape, vocab_size=400, pad_token_id=1, eos_token_id=2, decoder_start_token_id=1), tok


FOLDERS = {
    "qa-bert": lambda: bert("BertForQuestionAnswering"),
    "qa-roberta": lambda: roberta("RobertaForQuestionAnswering"),
    "qa-gpt2": lambda: gpt2("GPT2ForQuestionAnswering"),
    "qa-gpt2-left": lambda: gpt2("GPT2ForQuestionAnswering", padding_side="left"),
    "qa-bart": lambda: bart("BartForQuestionAnswering"),
    "qa-t5": lambda: t5("T5ForQuestionAnswering"),
    "mlm-bert": lambda: bert("BertForMaskedLM"),
    "mlm-roberta": lambda: roberta("RobertaForMaskedLM"),
}


def make(name):
    root = HERE / name
    shutil.rmtree(root, ignore_errors=True)
    arch, config, (tok, settings) = FOLDERS[name]()
    torch.manual_seed(zlib.crc32(name.encode()))
    model = getattr(transformers, arch)(config).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.dim() > 1:
                p.normal_(0, 4 / p.shape[-1] ** 0.5 if key.startswith("qa_outputs") else 0.6 if "embed" in key or ".w" in key else 1.2 / p.shape[-1] ** 0.5)
            elif "norm" not in key.lower() and ".ln_" not in key:
                p.normal_(0, 0.3)
    model.to(torch.float16).save_pretrained(root)
    (root / "generation_config.json").unlink(missing_ok=True)
    tok.save(str(root / "tokenizer.json"), pretty=False)
    (root / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    run = answers if name.startswith("qa-") else fills
    cases, error = run(name, root, arch, tok, settings)
    lines = ",\n  ".join(json.dumps(c, ensure_ascii=False) for c in cases)
    (root / "golden.json").write_text(f'{{"float32_error": {error:.3g}, "cases": [\n  {lines}\n]}}\n')
    print(name, len(cases), "cases, float32 error", error, flush=True)


def pipeline(task, root, arch, settings, dtype):
    model = getattr(transformers, arch).from_pretrained(root, dtype=dtype)
    names, roles = ["input_ids", "attention_mask"], settings
    if arch.startswith("Bert"):
        names = names + ["token_type_ids"]
        roles = {**settings, **{k + "_token": f"[{k.upper()}]" for k in ("pad", "unk", "cls", "sep", "mask")}}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(root / "tokenizer.json"), model_input_names=names, **roles)
    return transformers.pipeline(task, model=model, tokenizer=tokenizer, device="cpu")


def documents(rng):
    text = [s for s in SENTENCES if 3 <= len(s.split()) <= 30]
    return {
        "short": rng.choice(text),
        "long": " ".join(rng.sample(text, 14)),
        "lines": "\n".join(rng.sample(text, 5)),
        "letters": "Élodie ate two crêpes in 東京 🦆🦆 — naïve coöperation, e\u0301tude; " + rng.choice(text),
        "twice": "A river, the river; THE RIVER and the river again. " * 4,
        "words": rng.choice(text),
        "one": "Berlin",
    }


def mend():
    """For models that are padded on the left, the pipeline means to mask all but the document, and masks nothing (`tok != 1 if
    question_first else 0`); and it takes the first token for [CLS], which then is the document's. As meant, then."""
    import transformers.pipelines.question_answering as module
    source = inspect.getsource(module)
    for old, new in (("tok != 1 if question_first else 0", "tok != (1 if question_first else 0)"), ("    start[0, 0] = end[0, 0] = 0.0\n", "")):
        assert source.count(old) == 1
        source = source.replace(old, new)
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    transformers.pipelines.SUPPORTED_TASKS["question-answering"]["impl"] = module.QuestionAnsweringPipeline


def answers(name, root, arch, tok, settings):
    rng = random.Random(zlib.crc32(name.encode()) + 1)
    if name.endswith("-left"):
        mend()
    wide, narrow = (pipeline("question-answering", root, arch, settings, t) for t in (torch.float64, torch.float32))
    options = [{}, {}, {"top_k": 4}, {"top_k": 3, "align_to_words": False}, {"handle_impossible_answer": True}, {"top_k": 2, "handle_impossible_answer": True},
               {"max_answer_len": 1}, {"max_answer_len": 40, "top_k": 2}, {"doc_stride": 5, "max_seq_len": 32}, {"max_seq_len": 40, "top_k": 6}]
    questions = ["Where is the river?", "Who?", "How many people live in the town?", "what did the old man say about it", "Où est l'étude 東京?"]
    cases, error = [], 0.0
    for option in options:
        if name.endswith("-left") and "handle_impossible_answer" in option:
            continue
        for kind, document in documents(rng).items():
            question = rng.choice(questions)
            if len(tok.encode(question).ids) > 16:
                continue
            if "gpt2" in name and len(tok.encode(question, document).ids) > option.get("max_seq_len", 64):
                continue  # tokenizers loses which tokens are the document's in all windows but the first
            both = []
            for p in (wide, narrow):
                got = p(question=question, context=document, **option)
                both.append([g for g in (got if isinstance(got, list) else [got]) if g["score"] > 1e-9])
            if [(g["start"], g["end"]) for g in both[0]] != [(g["start"], g["end"]) for g in both[1]]:
                continue
            if len(both[0]) < option.get("top_k", 1) and kind != "one":
                continue
            error = max([error] + [abs(x["score"] - y["score"]) for x, y in zip(*both)])
            size = lambda n: len(document[:n].encode())
            cases.append({"options": option, "question": question, "document": document,
                          "answers": [{"answer": g["answer"], "score": g["score"], "start": size(g["start"]), "end": size(g["end"])} for g in both[0]]})
    return cases, error


def fills(name, root, arch, tok, settings):
    rng = random.Random(zlib.crc32(name.encode()) + 1)
    wide, narrow = (pipeline("fill-mask", root, arch, settings, t) for t in (torch.float64, torch.float32))
    mask = wide.tokenizer.mask_token
    texts = [f"The {mask} is old.", f"{mask}", f"What {mask} the way to the {mask}, Élodie?", f"東京 {mask} 🦆{mask}{mask} e\u0301"]
    for s in rng.sample([s for s in SENTENCES if 5 <= len(s.split()) <= 12], 6):
        words = s.split()
        words[rng.randrange(len(words))] = mask
        texts.append(" ".join(words))
    cases, error = [], 0.0
    for text in texts:
        for option in ({}, {"top_k": 2}, {"targets": ["river", "the", "z"]}):
            if "targets" in option and text.count(mask) > 1:
                continue
            both = [p(text, **option) for p in (wide, narrow)]
            both = [b if isinstance(b[0], list) else [b] for b in both]
            ids = [[[f["token"] for f in m] for m in b] for b in both]
            if ids[0] != ids[1]:
                continue
            error = max([error] + [abs(x["score"] - y["score"]) for m, n in zip(*both) for x, y in zip(m, n)])
            cases.append({"options": option, "text": text, "masks": both[0]})
    return cases, error


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in sys.argv[1:] or FOLDERS:
        make(name)


if __name__ == "__main__":
    main()
