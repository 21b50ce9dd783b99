#!/usr/bin/env python3
"""Writes pieces.json.gz: folders with SentencePiece's files, and what their tokenizers make of nasty texts.

Usage: pieces.py           (in this folder; needs: pip install sentencepiece==0.2.3 transformers==5.23)
       pieces.py DIR N SEED [NAME…]   for a random test: folders DIR/NAME, and DIR/NAME.jsonl with N cases each

The ids are SentencePiece's own, renumbered and put between special tokens as transformers' classes do that keep to
SentencePiece (its version 4 has them all; of version 5 only Marian's is left, which is asked itself). A model in
pieces.json.gz lacks the map of its normalizer: it names one of those in kinds.json.gz.
"""

import base64
import gzip
import io
import json
import os
import random
import re
import sys
import tempfile
import unicodedata

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb

RNG = random.Random(20261121)
WORDS = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years where much your way down should because long each just state those people too mr how little good make world year still see own work men day get here old life both between being under three never know same last another while us might great go come since against right came take used himself few house use place during without again home around small however found thought part once general high upon school every""".split()
CORPUS = [" ".join(RNG.choice(WORDS) for _ in range(12)).capitalize() + RNG.choice([".", ", 1999, 25, 9,", "?", " (x - y)."]) for _ in range(700)]
CORPUS += 20 * [
    "Die Würde des Menschen ist unantastbar. Größere Übungen für Ästheten.",
    "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "人人生而自由，在尊严和权利上一律平等。",
    "नमस्ते दुनिया",
    "كل الناس يولدون أحرارا",
]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2028", "\u200b", "\x85", "\x0b", "\u2581", "\ufeff", "\u180e"]
NASTY = ["e\u0301", "É", "A\u030a", "ﬁ", "①", "½", "ｱ", "ｶﾞ", "Ａｂ", "㍿", "한", "ﷺ", "İ", "ß", "👩‍👩‍👧", "🇩🇪", "\u200d", "\u00ad", "\ufffd", "\x00", "\x7f",
         "\u0300\u0301", "नि", "ก็", "\u202e", "𝔸", "…", "“", "``", "''", "<0x41>", "<0x0A>", "龍", "豈", "㈱", "℃", "\ue000", "\U0010ffff", "Ω", "ᾳ", "ŉ", "¨",
         "--", ".", "(a)", "9,", "1,000", "3.5", ">>fra<<", ">>x y<<", "<<", ">>", "<usr>", "xyz", "</s>", "<s>", "<unk>", "<pad>", "<mask>", "[MASK]", "[CLS]", "[SEP]",
         "<cls>", "<sep>", "<extra_id_0>", "<extra_id_9>", "en_XX", "de_DE", "<mask_1>", "<mask_2>", "<unk_5>", "<bos>", "<eos>", "\n\n"]


def text():
    k = RNG.randrange(5)
    line = RNG.choice(CORPUS)
    if k == 0:
        return line
    if k == 1:
        return "".join(RNG.choice(NASTY + SPACES) for _ in range(RNG.randrange(1, 12)))
    if k == 2:
        line = list(line)
        for _ in range(RNG.randrange(1, 6)):
            line.insert(RNG.randrange(len(line) + 1), RNG.choice(NASTY + SPACES))
        return "".join(line)
    if k == 3:
        return RNG.choice(["*", "-", "a", "9,", " ", "龍"]) * RNG.randrange(1, 60)
    return " ".join(RNG.choice(WORDS + NASTY) + RNG.choice(["", " ", "  "]) for _ in range(RNG.randrange(1, 9)))


def train(**settings):
    out = io.BytesIO()
    given = dict(vocab_size=330, hard_vocab_limit=False, minloglevel=2, num_threads=1, character_coverage=0.999)
    given.update(settings)
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=out, **given)
    m = pb.ModelProto()
    m.ParseFromString(out.getvalue())
    m.ClearField("trainer_spec")
    m.trainer_spec.model_type = 2 if settings.get("model_type") == "bpe" else 1
    m.trainer_spec.byte_fallback = settings.get("byte_fallback", False)
    m.trainer_spec.unk_id = settings.get("unk_id", 0)
    for name in ("bos", "eos", "pad"):
        setattr(m.trainer_spec, name + "_id", next((i for i, p in enumerate(m.pieces) if p.piece == settings.get(name + "_piece", {"bos": "<s>", "eos": "</s>", "pad": "<pad>"}[name])), -1))
    m.normalizer_spec.name = ""
    return m


class Slow:
    """A class of tokenizers that keeps to SentencePiece: texts are cut at special tokens, and the pieces get other ids."""

    def __init__(self, model, special, number=lambda i: i, before=lambda s: s, commas=False, first=False, single="A", pair="A B", types=()):
        self.model, self.number, self.before, self.commas, self.first = model, number, before, commas, first
        self.special = special  # token: id
        self.single, self.pair = single.split(), pair.split()
        self.cut = re.compile("(" + "|".join(re.escape(t) for t in sorted(special, key=len, reverse=True)) + ")")
        self.sp = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
        bare = pb.ModelProto()
        bare.CopyFrom(model)
        bare.normalizer_spec.add_dummy_prefix = False
        self.bare = sentencepiece.SentencePieceProcessor(model_proto=bare.SerializeToString())

    def pieces(self, sp, s):
        ids = sp.encode(self.before(s))
        if not self.commas:
            return ids
        out = []
        for p in sp.encode(self.before(s), out_type=str):
            if len(p) > 1 and p[-1] == "," and p[-2].isdigit():
                parts = sp.encode(p[:-1].replace("▁", ""), out_type=str)
                if p[0] != "▁" and parts[0][0] == "▁":
                    parts = parts[1:] if len(parts[0]) == 1 else [parts[0][1:]] + parts[1:]
                out += parts + [","]
            else:
                out.append(p)
        return [sp.piece_to_id(p) for p in out]

    def text(self, s):
        ids, at = [], 0
        for i, part in enumerate(self.cut.split(s)):
            if i % 2:
                ids.append(self.special[part])
            elif part:
                ids += map(self.number, self.pieces(self.bare if self.first and at > 0 else self.sp, part))
            at += len(part)
        return ids

    def encode(self, s, pair, special):
        ids, types = [], []
        for word in self.single if pair is None else self.pair:
            word, _, kind = word.partition(":")
            if word in "AB":
                more = self.text(s if word == "A" else pair)
            else:
                more = [self.special[word]] if special else []
            ids += more
            types += [int(kind or 0)] * len(more)
        return ids, types


def fold(lower, keep=False):
    def f(s):
        s = s.replace("``", '"').replace("''", '"')
        if not keep:
            s = "".join(c for c in unicodedata.normalize("NFKD", s) if not unicodedata.combining(c))
        return s.lower() if lower else s

    return f


class Marian:
    def __init__(self, files):
        from transformers import MarianTokenizer

        with tempfile.TemporaryDirectory() as d:
            write(d, files)
            self.t = MarianTokenizer.from_pretrained(d)

    def encode(self, s, pair, special):
        ids = self.t(s, pair, add_special_tokens=special)["input_ids"]
        return ids, [0] * len(ids)

    def decode(self, ids):
        return self.t.decode(ids, skip_special_tokens=True)


def write(d, files):
    os.makedirs(d, exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(d, name), "wb") as f:
            f.write(data.SerializeToString() if isinstance(data, pb.ModelProto) else json.dumps(data, ensure_ascii=False).encode())


def folders():
    """Name: files and the tokenizer."""
    out = {}
    langs = "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN".split()

    m = train(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    n = len(m.pieces)
    extra = {"<extra_id_%d>" % i: n + 9 - i for i in range(10)}
    ends = {"<pad>": 0, "</s>": 1, "<unk>": 2}
    out["t5"] = {"spiece.model": m, "config.json": {"model_type": "t5"}, "tokenizer_config.json": {"extra_ids": 10}}, Slow(m, ends | extra, single="A </s>", pair="A </s> B </s>")

    m = train(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"], user_defined_symbols=list('().-"'), normalization_rule_name="nfkc_cf")
    special = {"<pad>": 0, "<unk>": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
    around = dict(single="[CLS] A [SEP]", pair="[CLS] A [SEP] B:1 [SEP]:1")
    out["albert"] = {"spiece.model": m, "config.json": {"model_type": "albert"}}, Slow(m, special, before=fold(True), commas=True, **around)
    out["albert-cased"] = {"spiece.model": m, "tokenizer_config.json": {"tokenizer_class": "AlbertTokenizer", "do_lower_case": False, "keep_accents": True}}, Slow(m, special, before=fold(False, True), commas=True, **around)

    special = ["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]
    m = train(control_symbols=special, user_defined_symbols=list('().-"') + ["xyz", "ﬁ"])
    special = {p: i for i, p in enumerate(["<unk>", "<s>", "</s>"] + special)}
    out["xlnet"] = {"spiece.model": m, "config.json": {"model_type": "xlnet"}}, Slow(m, special, before=fold(False), commas=True, single="A <sep> <cls>:2", pair="A <sep> B:1 <sep>:1 <cls>:2")

    m = train()
    n = len(m.pieces)
    fair = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    pairs = dict(single="<s> A </s>", pair="<s> A </s> </s> B </s>")
    after = lambda k: (lambda i: 3 if i == 0 else i + k)
    out["xlm-roberta"] = {"sentencepiece.bpe.model": m, "config.json": {"model_type": "xlm-roberta"}}, Slow(m, fair | {"<mask>": n + 1}, after(1), **pairs)
    camembert = {"<s>NOTUSED": 0, "<pad>": 1, "</s>NOTUSED": 2, "<unk>": 3, "<unk>NOTUSED": 4, "<s>": 5, "</s>": 6, "<mask>": n + 4}
    out["camembert"] = {"sentencepiece.bpe.model": m, "config.json": {"model_type": "camembert"}}, Slow(m, camembert, after(4), **pairs)
    codes = {code: n + 1 + i for i, code in enumerate(langs)}
    out["mbart"] = {"sentencepiece.bpe.model": m, "config.json": {"model_type": "mbart"}, "tokenizer_config.json": {"src_lang": "de_DE"}}, Slow(
        m, fair | codes | {"<mask>": n + 26}, after(1), single="A </s> de_DE", pair="A B </s> de_DE")

    m = train(pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="identity", vocab_size=360)
    special = {"<pad>": 0, "</s>": 1, "<mask_1>": 2, "<mask_2>": 3, "<unk>": 105} | {"<unk_%d>" % i: i + 2 for i in range(2, 103)}
    out["pegasus"] = {"spiece.model": m, "config.json": {"model_type": "pegasus"}}, Slow(m, special, lambda i: i + 103, single="A </s>", pair="A B </s>")

    m = train(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, vocab_size=620)
    special = {"<unk>": 0, "<s>": 1, "</s>": 2}
    llama = dict(single="<s> A", pair="<s> A <s>:1 B:1")
    out["llama"] = {"tokenizer.model": m, "config.json": {"model_type": "llama"}}, Slow(m, special, first=True, **llama)
    legacy = {"tokenizer_class": "LlamaTokenizer", "legacy": True, "add_eos_token": True, "add_bos_token": False, "pad_token": "<pad>"}
    out["llama-legacy"] = {"tokenizer.model": m, "tokenizer_config.json": legacy, "added_tokens.json": {"<pad>": len(m.pieces)}}, Slow(
        m, special | {"<pad>": len(m.pieces)}, single="A </s>", pair="A </s> B:1 </s>:1")

    m = train(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False, split_digits=True, vocab_size=630,
              pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>", user_defined_symbols=["<usr>", "\n", "\n\n", "▁▁", "▁▁▁"])
    out["gemma"] = {"tokenizer.model": m, "config.json": {"model_type": "gemma2"}}, Slow(m, {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3}, single="<bos> A", pair="<bos> A <bos>:1 B:1")

    m = train(byte_fallback=True, vocab_size=560, remove_extra_whitespaces=False)
    out["llama-unigram"] = {"tokenizer.model": m, "config.json": {"model_type": "llama"}}, Slow(m, special, first=True, **llama)

    m = train(vocab_size=300)
    other = train(vocab_size=260)
    pieces = [p.piece for p in m.pieces[3:]]
    random.Random(5).shuffle(pieces)
    for name, separate in ("marian", False), ("marian-separate", True):
        def vocab(pieces):
            v = {}
            for p in ["</s>", "<unk>", "龍", ">>fra<<", "<pad>"] + pieces:
                v.setdefault(p, len(v))
            return v

        target = [p.piece for p in other.pieces[10:]]
        files = {"source.spm": m, "target.spm": other, "vocab.json": vocab(pieces[20:] + ([] if separate else target)), "tokenizer_config.json": {"tokenizer_class": "MarianTokenizer", "separate_vocabs": separate}}
        if separate:
            files["target_vocab.json"] = vocab(target)
        out[name] = files, Marian(files)
    return out


def case(tok, s, pair, special):
    ids, types = tok.encode(s, pair, special)
    c = {"ids": ids, "types": types}
    if isinstance(tok, Marian):
        known = [i for i in ids if i in tok.t.decoder]
        c |= {"decode": known, "decoded": tok.decode(known)}
    return c


def differ(folder, count, seed, only):
    for name, (files, tok) in folders().items():
        if only and name not in only:
            continue
        RNG.seed(seed)
        write(os.path.join(folder, name), files)
        with open(os.path.join(folder, name + ".jsonl"), "w") as f:
            for i in range(count):
                s, pair = text(), text() if i % 11 == 5 else None
                f.write(json.dumps({"text": s, "pair": pair, "special": i % 3 != 2} | case(tok, s, pair, i % 3 != 2)) + "\n")
        print(name, flush=True)


def golden():
    with gzip.open("kinds.json.gz") as f:
        maps = {base64.b64decode(data): name for name, data in json.load(f)["charsmaps"].items()}
    made = folders()
    texts = ["", " ", "a", " a", "a ", "▁", "</s>"] + NASTY + [text() for _ in range(110)]
    result = {"texts": texts, "folders": []}
    for name, (files, tok) in made.items():
        cases = []
        for k, i in enumerate(RNG.sample(range(len(texts)), 90)):
            j = RNG.randrange(len(texts)) if k % 9 == 5 else -1
            special = k % 3 != 2
            cases.append({"text": i, "pair": j, "special": special} | case(tok, texts[i], None if j < 0 else texts[j], special))
        packed = {}
        for base, data in files.items():
            if isinstance(data, pb.ModelProto):
                bare = pb.ModelProto()
                bare.CopyFrom(data)
                bare.normalizer_spec.ClearField("precompiled_charsmap")
                charsmap = data.normalizer_spec.precompiled_charsmap
                packed[base] = {"model": base64.b64encode(bare.SerializeToString()).decode(), "charsmap": maps[charsmap] if charsmap else ""}
            else:
                packed[base] = {"json": json.dumps(data, ensure_ascii=False)}
        result["folders"].append({"name": name, "files": packed, "cases": cases})
    with open("pieces.json.gz", "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=9) as f:
        f.write(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode())
    print(len(texts), "texts", len(made), "folders")


if len(sys.argv) > 3:
    differ(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
else:
    golden()
