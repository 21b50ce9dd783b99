#!/usr/bin/env python3
"""Writes golden.json.gz and codepoints.json: what Hugging Face's tokenizers makes of nasty texts.

Usage: golden.py   (in this folder; needs: pip install tokenizers==0.23.3)

golden.json.gz holds a list of texts; a list of tokenizers, each a whole tokenizer.json over one small vocabulary with
the cases run on it; and what the embedded MiniLM's tokenizer makes of each text. Offsets are converted from characters to bytes. codepoints.json holds, for every normalizer and
pre-tokenizer, a SHA-256 over what it does to every code point by itself.
"""
import gzip
import hashlib
import json
import random

from tokenizers import Tokenizer, normalizers, pre_tokenizers

random.seed(20261121)


def T(kind, **settings):
    return {"type": kind, **settings}


def bert(**settings):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True, **settings}


# ---- texts

WORDS = "hello world unaffable transformers Embedding the of a I'm don't 2024 3.14 naïve Zürich STRASSE Straße İstanbul ΣΊΣΥΦΟΣ ﬁnance".split()
NASTY = [
    "", " ", "   ", "\t", "\n\r\n", "\u00a0", "\u2028", "\u2029\u3000", "\u200b", "\ufeff", "\u00ad", "\u0000", "a\u0000b", "\x7f", "\x85", "a\x85b", "a\x0bb", "a\x0cb",
    "\ufffd", "a\ufffdb", "\ue000", "\U000f0000", "\ud7ff\ue000", "\U0010ffff", "hello world", "Hello, World!", "  leading and trailing  ", "unaffable", "UNAFFABLE",
    "é", "e\u0301", "E\u0301\u0323", "\u0301", "\u0301\u0301abc", "a\u0323\u0301", "a\u0301\u0323", "ậ", "ǰ", "ŉ", "ΐ", "\u0344", "\u0f73\u0f71\u0f74", "\u0f71\u0f72\u0f73", "\u0f75\u0f81",
    "İ", "ı", "I\u0307", "İİ", "ß", "ẞ", "ŸÇÑ", "Σίσυφος ΣΑΣ", "ﬁ ﬂ ﬀ ﬃ", "①②③ ½ ¼ ²³", "ℌℍ Ω Å K", "ｆｕｌｌ　ｗｉｄｔｈ！", "㍿㌀", "한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "각\u11a8", "가\u11a8",
    "中文", "中a文b", "日本語テスト", "東京は日本の首都です。", "豈\U0002f800\U00020000\U0002a6df\U0002a6e0", "漢\u0301字", "，。！？", "“quoted” ‘text’ — dash – «guillemets»", "don't can't I'm we've they're",
    "foo-bar_baz", "a.b.c", "...", "!?!?", "#$%^&*()[]{}<>", "^`|~=+", "C++ C# .NET", "e-mail@example.com", "https://example.com/a?b=c&d=e#f", "1,234.56", "$5 €5 £5 ¥5", "x²+y²=z²",
    "👍", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👋🏽", "🇩🇪🇫🇷", "✈️ ☺", "a👍b", "السلام عليكم", "مرحبا، كيف حالك؟", "שָׁלוֹם", "שּׁ", "עברית", "नमस्ते", "क़", "ภาษาไทย ำ น้ำ", "தமிழ்", "ქართული", "Հայերեն", "ᏣᎳᎩ", "Ԁ",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𝅗𝅥 \U0001d15e\U0001d165\U0001d16d", "\U00010400\U00010428", "\u1e9b\u0323", "\u2126\u212b\u212a", "\u00c5\u0041\u030a", "a\u034f\u0301", "o\u0302\u0300\u0323", "\u302e\u302f",
    "\u0378\u0530", "\U0001f9ff", "\u10d50", "\U00010d50", "\ua7f2\u32ff", "\u0898\u0301", "a\u08d3\u0301", "\U00011935\U00011930", "x\u200dx", "x\u200cx", "\u00b7\u0387", "_", "a_b", "\u203f", "\u2040",
    "[MASK]", "the [MASK] of", "[CLS] a [SEP]", "[mask]", "[MASK][MASK]", "x[MASK]y", "[UNK]", "[PAD]", " [MASK] ", "[X]", "<ab>", "aab", "AB ab Ab", "Café CAFÉ café Cafe\u0301", "\u2460 1", "ab-ab ab_ab abab",
    "a" * 99, "a" * 100, "a" * 101, "é" * 100, "é" * 101, "ab" * 60, "x" * 300, ("word " * 60).strip(), "中" * 40, "supercalifragilisticexpialidocious", "##ing", "ing ##ing", "## #", "a##b",
    "a\u0305\u0301", "\u1100\u0300\u1161\u11a8", "a\u0315\u0300\u05ae\u0300b", "\u0e33\u0e19\u0e49\u0e33", "e\u0304\u0304\u0304o", "\u00e9\u0327\u0301 \u0327\u0301", "=\u0338 <\u0338 \u2260", "a\u0338", "!\u0301", "-\u0000\u0338=\u0338", "\u1100 \u1161", "\u0958\u0959",
]
POOL = [
    lambda: random.choice("abcABC xyz.,!-'[]<>#_012 \t\n"), lambda: chr(random.randrange(0x20, 0x7F)), lambda: chr(random.randrange(0, 0x250)), lambda: chr(random.randrange(0x300, 0x370)),
    lambda: chr(random.randrange(0x250, 0x3000)), lambda: chr(random.randrange(0x3000, 0xD800)), lambda: chr(random.randrange(0xE000, 0x10000)), lambda: chr(random.randrange(0x10000, 0x20000)),
    lambda: random.choice(NASTY), lambda: random.choice(WORDS), lambda: " ",
]


def random_text():
    weights = [random.random() ** 3 for _ in POOL]
    return "".join(random.choices(POOL, weights)[0]() for _ in range(random.choice([2, 4, 8, 16])))[:120]


TEXTS = NASTY + [" ".join(random.choices(WORDS, k=n)) for n in (1, 2, 3, 5, 8, 13, 21) for _ in range(3)] + [random_text() for _ in range(120)]
INDEX = {}
for t in TEXTS:
    INDEX.setdefault(t, len(INDEX))
TEXTS = list(INDEX)

LONG = [i for i, t in enumerate(TEXTS) if len(t.split()) > 9]

# ---- one vocabulary for all

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
for c in [chr(c) for c in range(33, 127)] + list("éñüçßıσςαβ中文日本한국\u1112\u1161\u11abא️👍²½①…“”—，。"):
    TOKENS += [c, "##" + c]
TOKENS += ["##\u0301", "\u0301", "the", "of", "hello", "Hello", "world", "##world", "un", "##aff", "##able", "trans", "##form", "##ers", "##er", "emb", "Emb", "##edding", "caf", "cafe", "café", "Caf",
           "ing", "##ing", "##ss", "stra", "istanbul", "20", "##24", "don", "don'", "##'t", "...", "!?", "ab", "##ab", "aab", "foo", "##-", "wordword", "x²", "fi", "##fi", "full", "ü", "##züri", "@@x", "@@e", "@@b"]
VOCAB = {}
for t in TOKENS:
    VOCAB.setdefault(t, len(VOCAB))


def special(token, **flags):
    return {"id": VOCAB.get(token, -1), "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags}


def added(*tokens):
    out = [special(t) for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    n = len(VOCAB)
    for content, flags in tokens:
        t = {**special(content), "special": False, "normalized": True, **flags}
        if t["id"] < 0:
            t["id"], n = n, n + 1
        out = [o for o in out if o["content"] != content] + [t]
    return sorted(out, key=lambda t: t["id"])


def seq(i, type_id=0):
    return {"Sequence": {"id": i, "type_id": type_id}}


def sp(i, type_id=0):
    return {"SpecialToken": {"id": i, "type_id": type_id}}


def tokens_map(**more):
    return {t: {"id": t, "ids": [VOCAB[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]", "[MASK]")} | more


TEMPLATE = T("TemplateProcessing", single=[sp("[CLS]"), seq("A"), sp("[SEP]")], pair=[sp("[CLS]"), seq("A"), sp("[SEP]"), seq("B", 1), sp("[SEP]", 1)], special_tokens=tokens_map())


def make(normalizer=None, pre=T("BertPreTokenizer"), tokens=None, post=TEMPLATE, truncation=None, model={}, decoder=T("WordPiece", prefix="##", cleanup=True)):
    return {
        "version": "1.0", "truncation": truncation, "padding": None, "added_tokens": added() if tokens is None else tokens, "normalizer": normalizer, "pre_tokenizer": pre,
        "post_processor": post, "decoder": decoder,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, **model, "vocab": VOCAB},
    }


def cut(n, stride=0, strategy="LongestFirst", direction="Right"):
    return {"max_length": n, "stride": stride, "strategy": strategy, "direction": direction}


def norm_seq(*ns):
    return T("Sequence", normalizers=list(ns))


def pre_seq(*ps):
    return T("Sequence", pretokenizers=list(ps))


BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
FULL, SOME, FEW = len(TEXTS), 40, 14
FLAGS = [("[X]", {"lstrip": True}), ("<ab>", {"rstrip": True, "normalized": False}), ("ab", {"single_word": True}), ("Café", {}), ("①", {"normalized": False, "special": True}), ("aab", {"special": True}), ("a", {"single_word": True, "normalized": False, "lstrip": True, "rstrip": True})]

# name, tokenizer, number of single texts, number of pairs
CONFIGS = [
    ("uncased", make(bert()), FULL, 60),
    ("cased", make(bert(lowercase=False)), FULL, 10),
    ("uncased keeping accents", make(bert(strip_accents=False)), FULL, 0),
    ("cased without accents", make(bert(lowercase=False, strip_accents=True)), SOME, 0),
    ("no cjk", make(bert(handle_chinese_chars=False)), FULL, 0),
    ("no clean", make(bert(clean_text=False)), FULL, 0),
    ("no normalizer", make(None), FULL, 0),
    ("no normalizer, whitespace", make(None, T("Whitespace")), FULL, 0),
    ("whitespace split", make(bert(), T("WhitespaceSplit")), FULL, 0),
    ("no pre-tokenizer", make(bert(), None), SOME, 0),
    ("NFC", make(T("NFC")), FULL, 0),
    ("NFD", make(T("NFD"), T("Whitespace")), FULL, 0),
    ("NFKC", make(T("NFKC")), FULL, 0),
    ("NFKD without accents, lower", make(norm_seq(T("NFKD"), T("StripAccents"), T("Lowercase"))), FULL, 0),
    ("lower", make(T("Lowercase"), T("Whitespace")), SOME, 0),
    ("nmt", make(norm_seq(T("Nmt"), T("NFKC"))), SOME, 0),
    ("strip", make(T("Strip", strip_left=True, strip_right=True), None), SOME, 0),
    ("strip left", make(T("Strip", strip_left=True, strip_right=False), None), FEW, 0),
    ("prepend", make(T("Prepend", prepend="a-"), T("BertPreTokenizer")), SOME, 0),
    ("replace", make(norm_seq(T("Replace", pattern={"String": "l"}, content="éx"), T("Replace", pattern={"String": " "}, content=""))), SOME, 0),
    ("replace regex", make(T("Replace", pattern={"Regex": "[\\s\\d]+|\\W"}, content=" - ")), SOME, 0),
    ("empty sequences", make(norm_seq(), pre_seq()), FEW, 0),
    ("digits", make(bert(), pre_seq(T("Whitespace"), T("Digits", individual_digits=True))), SOME, 0),
    ("digits together", make(None, pre_seq(T("WhitespaceSplit"), T("Digits", individual_digits=False))), SOME, 0),
    ("delimiter", make(None, T("CharDelimiterSplit", delimiter="e")), SOME, 0),
    ("prefix @@", make(bert(), model={"continuing_subword_prefix": "@@"}, decoder=T("WordPiece", prefix="@@", cleanup=False)), SOME, 0),
    ("no prefix", make(bert(), model={"continuing_subword_prefix": ""}), SOME, 0),
    ("short words", make(bert(), model={"max_input_chars_per_word": 4}), SOME, 0),
    ("other unk", make(bert(), model={"unk_token": "[MASK]"}, decoder=None), FEW, 0),
    ("word level", make(bert(), model={"type": "WordLevel"}), FEW, 0),
    ("untyped model", make(bert(), model={"type": None}), FEW, 0),
    ("bert processing", make(bert(), post=T("BertProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2])), FEW, FEW),
    ("roberta processing", make(bert(), post=T("RobertaProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2], trim_offsets=False, add_prefix_space=False)), FEW, FEW),
    ("no post-processor", make(bert(), post=None), FEW, FEW),
    ("post-processor sequence", make(bert(), post=T("Sequence", processors=[TEMPLATE])), FEW, FEW),
    ("odd template", make(bert(), post=T("TemplateProcessing", single=[seq("A", 3), sp("many", 7), sp("[CLS]")], pair=[sp("many", 2), seq("B", 5), sp("[SEP]", 9), sp("[SEP]"), seq("A", 4)],
        special_tokens=tokens_map(many={"id": "many", "ids": [4, 2, 9], "tokens": ["[MASK]", "other", "%"]}))), FEW, FEW),
    ("template without texts", make(bert(), post=T("TemplateProcessing", single=[sp("[CLS]")], pair=[sp("[CLS]"), seq("B"), seq("A")], special_tokens=tokens_map())), FEW, FEW),
    ("added tokens", make(bert(), tokens=added(*FLAGS)), FULL, 0),
    ("added tokens, no normalizer", make(None, T("Whitespace"), tokens=added(*FLAGS)), FULL, 0),
    ("added tokens, all raw", make(bert(), tokens=added(*[(t, {**f, "normalized": False}) for t, f in FLAGS])), FULL, 0),
    ("added tokens, swapped flags", make(T("NFKC"), None, tokens=added(*[(t, {k: not f.get(k, False) for k in ("lstrip", "rstrip", "single_word", "normalized")}) for t, f in FLAGS])), SOME, 0),
    ("added token of white space", make(T("Replace", pattern={"Regex": "\\W"}, content=" "), T("WhitespaceSplit"), tokens=added(("①", {"lstrip": True, "rstrip": True}))), SOME, 0),
    ("added tokens that begin alike", make(bert(), tokens=added(*[(t, {"normalized": False}) for t in ("a", "ab", "aba", "hell", "hello w")])), FULL, 0),
    ("mask takes the blank before it", make(bert(), tokens=added(("[MASK]", {"lstrip": True, "normalized": False, "special": True}))), SOME, 0),
]
for b in BEHAVIORS:
    CONFIGS.append(("punctuation " + b, make(None, pre_seq(T("WhitespaceSplit"), T("Punctuation", behavior=b))), SOME, 0))
    for invert in (False, True):
        CONFIGS.append((f"split {b} {invert}", make(None, T("Split", pattern={"String": "a"}, behavior=b, invert=invert)), FEW, 0))
        CONFIGS.append((f"split regex {b} {invert}", make(None, T("Split", pattern={"Regex": "\\w+|[^\\w\\s]+"}, behavior=b, invert=invert)), SOME, 0))
for strategy in ("LongestFirst", "OnlyFirst", "OnlySecond"):
    for direction in ("Right", "Left"):
        for n, stride in ((12, 0), (9, 3), (16, 5), (13, 0), (512, 0)):
            CONFIGS.append((f"cut {n} {stride} {strategy} {direction}", make(bert(), truncation=cut(n, stride, strategy, direction)), 0 if strategy == "OnlySecond" else SOME, SOME))


def byte_offsets(text):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return at


def run(tok, text, pair, with_special, windows):
    """One case; {"error": True} where the reference refuses, None where it only minds the stride that nobody asked for."""
    try:
        first = tok.encode(text, pair, add_special_tokens=with_special)
    except BaseException as e:
        return None if "stride" in str(e) and not windows else {"error": True}
    at = (byte_offsets(text), byte_offsets(pair or ""))
    # Since 0.23 the reference names added tokens by their normalized form; here they keep their own.
    added = {i: t.content for i, t in tok.get_added_tokens_decoder().items()}
    name = lambda i: added.get(i, tok.id_to_token(i))
    out = {"ids": [], "types": [], "spans": [], "words": [], "ends": [], "other": {}}
    for e in [first] + (first.overflowing if windows else []):
        # After truncation the reference forgets which text of a pair a token is of; type ids tell.
        for i, (a, b) in enumerate(e.offsets):
            seqs = e.type_ids if tok.truncation else e.sequence_ids
            known = 0 if pair is None else seqs[i] or 0
            if e.special_tokens_mask[i]:
                out["spans"] += [0, 0]
            else:
                out["spans"] += [at[known][a], at[known][b]]
            if e.tokens[i] != name(e.ids[i]):
                out["other"][len(out["ids"]) + i] = e.tokens[i]
        out["ids"] += e.ids
        out["types"] += e.type_ids
        out["words"] += [-1 if w is None else w for w in e.word_ids]
        out["ends"].append(len(out["ids"]))
    if all(name(i) == tok.id_to_token(i) for i in out["ids"]):
        out["decoded"] = tok.decode(out["ids"], skip_special_tokens=with_special)
    return out


def main():
    result = {"texts": TEXTS, "vocab": VOCAB, "tokenizers": []}
    total = 0
    for name, config, singles, pairs in CONFIGS:
        config = json.loads(json.dumps(config))
        if config["model"]["type"] is None:
            del config["model"]["type"]
        tok = Tokenizer.from_str(json.dumps(config))
        del config["model"]["vocab"]
        cases = []
        order = list(range(FULL)) if singles == FULL else random.sample(range(FULL), singles)
        jobs = [(i, None) for i in order]
        for _ in range(pairs):  # where texts are cut, half of the pairs are of long ones, but not in windows
            pool = LONG if config["truncation"] and len(jobs) % 2 == 0 else range(FULL)
            jobs.append((random.choice(pool), random.choice(pool)))
        for k, (i, j) in enumerate(jobs):
            with_special, windows = k % 3 != 2, config["truncation"] is not None and k % 2 == 1
            out = run(tok, TEXTS[i], None if j is None else TEXTS[j], with_special, windows)
            case = {"text": i, "pair": -1 if j is None else j, "special": with_special, "windows": windows}
            if out:
                cases.append({**case, **out})
        total += len(cases)
        result["tokenizers"].append({"name": name, "config": config, "cases": cases})
    tok = Tokenizer.from_file("../../../pipeline/minilm/files/tokenizer.json")
    tok.no_padding()
    tok.no_truncation()
    result["minilm"] = [run(tok, t, None, True, False) for t in TEXTS]
    with open("golden.json.gz", "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=9) as f:
        f.write(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode())
    print(len(TEXTS), "texts", len(CONFIGS), "tokenizers", total, "cases")

    lines = []
    for config in [bert(), bert(lowercase=False), bert(clean_text=False, strip_accents=False), bert(handle_chinese_chars=False, strip_accents=True, lowercase=False, clean_text=False), T("NFC"), T("NFD"), T("NFKC"), T("NFKD"),
                   T("Lowercase"), T("StripAccents"), T("Nmt"), T("Strip", strip_left=True, strip_right=True), T("Replace", pattern={"Regex": "\\w"}, content=""), T("Replace", pattern={"Regex": "\\S"}, content=""),
                   T("Replace", pattern={"Regex": "[^\\w]"}, content=""), T("Replace", pattern={"Regex": "[\\d\\s]"}, content="")]:
        tok = Tokenizer.from_str(json.dumps(make(config)))
        h = hashlib.sha256()
        for c in range(0x110000):
            if not 0xD800 <= c < 0xE000:
                h.update(tok.normalizer.normalize_str(chr(c)).encode() + b"\n")
        lines.append({"normalizer": config, "sha256": h.hexdigest()})
    for config in [T("BertPreTokenizer"), T("Whitespace"), T("WhitespaceSplit"), T("Punctuation", behavior="Isolated"), T("Digits", individual_digits=True)]:
        tok = Tokenizer.from_str(json.dumps(make(None, config)))
        h = hashlib.sha256()
        for c in range(0x110000):
            if not 0xD800 <= c < 0xE000:
                h.update(b"%d" % len(tok.pre_tokenizer.pre_tokenize_str("a" + chr(c) + "b")))
        lines.append({"pre_tokenizer": config, "sha256": h.hexdigest()})
    with open("codepoints.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n")


main()
