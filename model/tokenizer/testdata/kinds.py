#!/usr/bin/env python3
"""Writes kinds.json.gz: what Hugging Face's tokenizers makes of nasty texts with one small tokenizer of every kind.

Usage: kinds.py           (in this folder; needs: pip install tokenizers==0.23.3 sentencepiece)
       kinds.py DIR N SEED [NAME…]   for a random test: DIR/NAME.json and DIR/NAME.jsonl with N cases each

kinds.json.gz holds texts, the charsmaps of SentencePiece's normalizers, and tokenizers, each a tokenizer.json (where
"@NAME" stands for a charsmap) with the cases run on it. Offsets are converted from characters to bytes.
"""

import base64
import gzip
import io
import json
import random
import sys

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders as D
from tokenizers import models
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P
from tokenizers import processors as PP
from tokenizers import trainers

VOCAB = 420
RNG = random.Random(20261121)
WORDS = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years where much your way down should because long each just state those people too mr how little good make world year still see own work men day get here old life both between being under three never know same last another while us might great go come since against right came take used himself few house use place during without again home around small however found thought part once general high upon school every don't I'm we've they'll it's can't You'd""".split()
CORPUS = [
    "Die Würde des Menschen ist unantastbar. Größere Übungen für Ästheten.",
    "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "人人生而自由，在尊严和权利上一律平等。",
    "すべての人間は、生まれながらにして自由であり",
    "모든 인간은 태어날 때부터 자유로우며",
    "كل الناس يولدون أحرارا",
    "नमस्ते दुनिया",
    "I'M HERE, don't you'll we've THEY'RE 1234567 3.14159",
    "for (int i = 0; i < n; i++) {\n\tsum += a[i];\n}",
] * 4
for _ in range(700):
    words = [RNG.choice(WORDS) for _ in range(RNG.randrange(4, 16))]
    if RNG.random() < 0.5:
        words[0] = words[0].capitalize()
    if RNG.random() < 0.3:
        words.insert(2, str(RNG.randrange(3000)))
    CORPUS.append(" ".join(words) + RNG.choice([".", "!", "?", ", and so on.", " (again)", ":"]))

NASTY = [
    "a<s>b c",
    "x <mask> y",
    "x  <x>  y",
    "<s> a<|endoftext|> b",
    "'s",
    "'S",
    "'ſ",
    "'T",
    "'re",
    "'RE",
    "'Re",
    "'ve",
    "'VE",
    "'m",
    "'M",
    "'ll",
    "'LL",
    "'lL",
    "'d",
    "'D",
    "'",
    "''",
    "’s",
    "don't",
    "I'M",
    "we'Ve",
    "123",
    "1234567",
    "12 34",
    "٣٤٥",
    "½",
    "²³",
    "Ⅷ",
    "①",
    "𝟘𝟙",
    "१२३",
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\r\n",
    "\n\n",
    "\u00a0",
    "\u2028",
    "\u2029",
    "\u3000",
    "\u0085",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u00ad",
    "\x00",
    "\x01",
    "\x1f",
    "\x7f",
    "\x0b",
    "\x0c",
    "\u1680",
    "\u2003",
    "\u202f",
    "\u205f",
    "\u180e",
    "\ufffd",
    "e\u0301",
    "é",
    "É",
    "\u0301",
    "a\u0323\u0301",
    "ậ",
    "ﬁ",
    "ſ",
    "ß",
    "İ",
    "ı",
    "Σς",
    "ŉ",
    "ǅ",
    "ǆ",
    "Ǆ",
    "한국어",
    "\u1112\u1161\u11ab",
    "각",
    "가\u11a8",
    "中文",
    "日本語",
    "テスト",
    "ｶﾞ",
    "ﾊﾟ",
    "ｆｕｌｌ",
    "！",
    "。",
    "，",
    "～",
    "👍",
    "👍🏽",
    "👨‍👩‍👧‍👦",
    "🏳️‍🌈",
    "🇩🇪",
    "✈️",
    "☺",
    "🦙",
    "א",
    "שָׁ",
    "مرحبا",
    "؟",
    "\u0600",
    "\u06dd1",
    "ไทย",
    "นำ",
    "नमस्ते",
    "क़",
    "தமிழ்",
    "ကျ",
    "கூ",
    "𝔘𝔫𝔦",
    "\U0010ffff",
    "\ue000",
    "\U00010400",
    "\U000e0041",
    "\U00030000",
    "\u0378",
    "\U00010d50",
    "\ua7da",
    "_",
    "a_b",
    "foo-bar",
    "#$%",
    "...",
    "!!!!!!",
    "33333",
    "aaaa",
    "///",
    "\\n",
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<mask>",
    " <mask>",
    "<mask> ",
    "<|endoftext|>",
    "<|im_start|>",
    "[MASK]",
    "<0x0A>",
    "▁",
    "▁▁",
    "Ġ",
    "Ċ",
    "a▁b",
    "</w>",
    "a</w>",
    "``",
    "''",
    "<x>",
    "<xx>",
    "AbCdEF",
    "HELLO",
    "CamelCase",
    "iPhone",
    "McDonald",
    "ABCしDE",
    "xÀÉz",
    "a\u0301B",
    "\u0301a",
    "\u0301A",
]


def rc():
    k = RNG.random()
    if k < 0.3:
        return chr(RNG.randrange(32, 127))
    if k < 0.5:
        return chr(RNG.randrange(0x80, 0x600))
    if k < 0.8:
        return chr(RNG.randrange(0x600, 0x3000))
    if k < 0.9:
        return chr(RNG.choice([RNG.randrange(0x3000, 0xD800), RNG.randrange(0xE000, 0x10000)]))
    return chr(RNG.randrange(0x10000, 0x110000))


def text():
    k = RNG.random()
    if k < 0.3:
        l = RNG.choice(CORPUS)
        a = RNG.randrange(len(l) + 1)
        s = l[a : a + RNG.randrange(1, 120)]
    elif k < 0.6:
        s = "".join(RNG.choice(NASTY) for _ in range(RNG.randrange(0, 9)))
    elif k < 0.75:
        s = "".join(rc() for _ in range(RNG.randrange(0, 12)))
    elif k < 0.95:
        s = "".join(
            RNG.choice([RNG.choice(NASTY), RNG.choice(NASTY), rc(), " ", RNG.choice(RNG.choice(CORPUS).split(" "))]) for _ in range(RNG.randrange(1, 14))
        )
    else:
        s = RNG.choice(NASTY) * RNG.randrange(1, 90)
    return s.encode("utf-8", "replace").decode() if s else s


def boff(t):
    at = [0]
    for c in t:
        at.append(at[-1] + len(c.encode()))
    return at


def train_bpe(pre, norm=None, vocab=None, **kw):
    tk = dict()
    mk = {}
    for k, v in kw.items():
        (tk if k in ("special_tokens", "initial_alphabet", "limit_alphabet") else mk)[k] = v
    tok = Tokenizer(models.BPE(**mk))
    if pre:
        tok.pre_tokenizer = pre
    if norm:
        tok.normalizer = norm
    extra = {k: mk[k] for k in ("continuing_subword_prefix", "end_of_word_suffix") if k in mk}
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=vocab or VOCAB, show_progress=False, **tk, **extra))
    return tok


AL = P.ByteLevel.alphabet()
CL = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QW = CL.replace("{1,3}", "")
CLP = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
O2 = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TE = O2.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "").replace("{1,3}", "")


def bl(pattern):
    return P.Sequence([P.Split(Regex(pattern), "isolated", invert=False), P.ByteLevel(add_prefix_space=False, use_regex=False)])


def add(tok, *specials, **kw):
    tok.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in specials])
    return tok


B = {}


def kind(f):
    B[f.__name__] = f
    return f


@kind
def gpt2():
    t = train_bpe(P.ByteLevel(add_prefix_space=False), initial_alphabet=AL)
    t.decoder = D.ByteLevel()
    t.post_processor = PP.ByteLevel(trim_offsets=False)
    return with_words(add(t, "<|endoftext|>"), "HELLO", "ĠHELLO")


@kind
def gpt2_prefix_trim():
    t = train_bpe(P.ByteLevel(add_prefix_space=True), initial_alphabet=AL)
    t.decoder = D.ByteLevel()
    t.post_processor = PP.ByteLevel(trim_offsets=True)
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True), AddedToken("<x>", rstrip=True, normalized=True)])
    return t


@kind
def roberta():
    t = train_bpe(P.ByteLevel(add_prefix_space=False, trim_offsets=True), initial_alphabet=AL, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    t.decoder = D.ByteLevel()
    t.post_processor = PP.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    return t


@kind
def llama3():
    t = train_bpe(bl(CL), initial_alphabet=AL, ignore_merges=True)
    t.decoder = D.ByteLevel()
    add(t, "<|begin_of_text|>", "<|endoftext|>", "<|im_start|>")
    t.post_processor = PP.Sequence(
        [
            PP.ByteLevel(trim_offsets=False),
            PP.TemplateProcessing(
                single="<|begin_of_text|> $A",
                pair="<|begin_of_text|> $A <|begin_of_text|> $B:1",
                special_tokens=[("<|begin_of_text|>", t.token_to_id("<|begin_of_text|>"))],
            ),
        ]
    )
    return with_words(t, "HELLO", "ĠHELLO", "McDonald")


@kind
def cl100k_possessive():
    t = train_bpe(bl(CLP), initial_alphabet=AL)
    t.decoder = D.ByteLevel()
    return t


@kind
def qwen2():
    t = train_bpe(bl(QW), norm=N.NFC(), initial_alphabet=AL)
    t.decoder = D.ByteLevel()
    t.post_processor = PP.ByteLevel(trim_offsets=False)
    return add(t, "<|endoftext|>", "<|im_start|>")


@kind
def qwen35():
    pattern = QW.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")
    t = train_bpe(bl(pattern), norm=N.NFC(), initial_alphabet=AL)
    t.decoder = D.ByteLevel()
    return add(t, "<|endoftext|>", "<|im_start|>")


@kind
def o200k():
    t = train_bpe(bl(O2), initial_alphabet=AL)
    t.decoder = D.ByteLevel()
    t.post_processor = PP.ByteLevel(trim_offsets=True, add_prefix_space=False)
    return t


@kind
def tekken():
    t = train_bpe(bl(TE), initial_alphabet=AL, ignore_merges=True)
    t.decoder = D.ByteLevel()
    return t


@kind
def smollm():
    t = train_bpe(P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)]), initial_alphabet=AL)
    t.decoder = D.ByteLevel()
    return add(t, "<|endoftext|>", "<|im_start|>")


@kind
def falcon():
    t = train_bpe(
        P.Sequence(
            [P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(individual_digits=False), P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]
        ),
        initial_alphabet=AL,
    )
    t.decoder = D.ByteLevel()
    return t


@kind
def bloom():
    t = train_bpe(
        P.Sequence([P.Split(Regex(r" ?[^(\s|[.,!?…。，、।۔،])]+"), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), initial_alphabet=AL
    )
    t.decoder = D.ByteLevel()
    t.post_processor = PP.ByteLevel(trim_offsets=False, add_prefix_space=True)
    return t


@kind
def clip():
    pat = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
    t = train_bpe(
        P.Sequence([P.Split(Regex(pat), "removed", invert=True), P.ByteLevel(add_prefix_space=False)]),
        norm=N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]),
        initial_alphabet=AL,
        end_of_word_suffix="</w>",
        unk_token="<|endoftext|>",
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
    )
    t.decoder = D.ByteLevel()
    t.post_processor = PP.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False, add_prefix_space=False)
    return t


@kind
def openai_gpt():
    t = train_bpe(P.BertPreTokenizer(), norm=N.BertNormalizer(lowercase=True), end_of_word_suffix="</w>", unk_token="<unk>", special_tokens=["<unk>"])
    t.decoder = D.BPEDecoder("</w>")
    return t


@kind
def bpe_prefix():
    t = train_bpe(P.Whitespace(), continuing_subword_prefix="##", unk_token="<unk>", fuse_unk=True, special_tokens=["<unk>"], limit_alphabet=60)
    return t


@kind
def bpe_prefix_suffix():
    t = train_bpe(
        P.WhitespaceSplit(), continuing_subword_prefix="##", end_of_word_suffix="</w>", unk_token="<unk>", special_tokens=["<unk>"], limit_alphabet=60
    )
    t.decoder = D.BPEDecoder("</w>")
    return t


@kind
def bpe_no_unk():
    return train_bpe(P.WhitespaceSplit(), limit_alphabet=50)


@kind
def bpe_unk_missing():
    t = train_bpe(P.WhitespaceSplit(), limit_alphabet=80)
    j = json.loads(t.to_str())
    j["model"]["unk_token"] = "<nope>"
    return Tokenizer.from_str(json.dumps(j))


BYTES = ["<0x%02X>" % i for i in range(256)]


def llama_like():
    return train_bpe(
        P.Metaspace(replacement="▁", prepend_scheme="first"),
        special_tokens=["<unk>", "<s>", "</s>"] + BYTES,
        vocab=VOCAB + 256,
        limit_alphabet=90,
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=True,
    )


def rewire(t, norm, pre, dec, post="llama"):
    j = json.loads(t.to_str())
    j["normalizer"] = norm
    j["pre_tokenizer"] = pre
    j["decoder"] = dec
    j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
    for a in j["added_tokens"]:
        a["normalized"] = False
    if post == "llama":
        j["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<s>", "type_id": 1}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        }
    return j


LD = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ],
}
LN = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}


@kind
def llama():
    return Tokenizer.from_str(json.dumps(rewire(llama_like(), LN, None, LD)))


@kind
def llama_partial_bytes():
    j = rewire(llama_like(), LN, None, LD)
    for b in range(0xD0, 0xE3):
        i = j["model"]["vocab"].pop("<0x%02X>" % b)
        j["model"]["vocab"]["zz%d" % b] = i
    return Tokenizer.from_str(json.dumps(j))


@kind
def gemma():
    j = rewire(
        llama_like(),
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
    )
    j["added_tokens"].append({"id": 9999, "content": "\n\n", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False})
    return Tokenizer.from_str(json.dumps(j))


def meta(scheme, split):
    def f():
        return Tokenizer.from_str(
            json.dumps(
                rewire(
                    llama_like(),
                    None,
                    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split},
                    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split} if split else LD,
                )
            )
        )

    return f


for s in ("first", "always", "never"):
    for sp in (True, False):
        B["metaspace_%s_%s" % (s, sp)] = meta(s, sp)


@kind
def bpe_merges_pairs():
    j = json.loads(B["llama"]().to_str())
    j["model"]["merges"] = [m if isinstance(m, list) else m.split(" ") for m in j["model"]["merges"]]
    return Tokenizer.from_str(json.dumps(j))


_models = {}


def spm(rule, vocab_size):
    if (rule, vocab_size) not in _models:
        out = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS),
            model_writer=out,
            model_type="unigram",
            vocab_size=vocab_size,
            minloglevel=2,
            normalization_rule_name=rule,
            character_coverage=0.99,
        )
        m = pb.ModelProto()
        m.ParseFromString(out.getvalue())
        _models[rule, vocab_size] = m
    return _models[rule, vocab_size]


def unigram(pre, norm_extra=[], post=None, bf=False, key="nmt_nfkc"):
    m = spm(key, VOCAB - 50)
    vocab = [(p.piece, p.score) for p in m.pieces]
    if bf:
        vocab += [(b, -20.0) for b in BYTES]
    t = Tokenizer(models.Unigram(vocab, unk_id=0, byte_fallback=bf))
    cm = m.normalizer_spec.precompiled_charsmap
    ns = [*norm_extra]
    if cm:
        ns.append(N.Precompiled(cm))
    ns.append(N.Replace(Regex(" {2,}"), " "))
    t.normalizer = N.Sequence(ns)
    t.pre_tokenizer = pre
    t.decoder = D.Metaspace()
    add(t, "<s>", "</s>", "<unk>")
    if post:
        t.post_processor = post(t)
    return t


tp = lambda single, pair: (lambda t: PP.TemplateProcessing(single=single, pair=pair, special_tokens=[("<s>", 1), ("</s>", 2)]))


@kind
def t5():
    return unigram(P.Metaspace(), post=tp("$A </s>", "$A </s> $B </s>"))


@kind
def t5_whitespace():
    return unigram(P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="always")]), post=tp("$A </s>", "$A </s> $B </s>"))


@kind
def xlnet():
    return unigram(
        P.Metaspace(),
        [N.Replace("``", '"'), N.Replace("''", '"'), N.NFKD(), N.StripAccents(), N.Lowercase()],
        post=tp("$A:0 <s>:0 </s>:2", "$A:0 <s>:0 $B:1 <s>:1 </s>:2"),
    )


@kind
def unigram_whole():
    return unigram(P.Metaspace(split=False, prepend_scheme="first"), bf=True)


@kind
def unigram_null():
    t = unigram(P.Metaspace(), key="nfkc_cf")
    j = json.loads(t.to_str())
    j["pre_tokenizer"] = None
    j["decoder"] = None
    return Tokenizer.from_str(json.dumps(j))


@kind
def unigram_no_unk():
    t = unigram(P.Metaspace())
    j = json.loads(t.to_str())
    j["model"]["unk_id"] = None
    return Tokenizer.from_str(json.dumps(j))


def run(tok, text, pair, special):
    """One case; {"error": True} where the reference refuses."""
    try:
        e = tok.encode(text, pair, add_special_tokens=special)
    except Exception:
        return {"error": True}
    at = (boff(text), boff(pair or ""))
    out = {"ids": e.ids, "types": e.type_ids, "spans": [], "words": [-1 if w is None else w for w in e.word_ids], "ends": [len(e.ids)], "other": {}}
    for i, (a, b) in enumerate(e.offsets):
        if e.word_ids[i] is None:
            out["spans"] += [0, 0]
        else:
            q = at[e.sequence_ids[i] or 0]
            out["spans"] += [q[a], q[b]]
        if e.tokens[i] != tok.id_to_token(e.ids[i]):
            out["other"][i] = e.tokens[i]
    out["decoded"] = tok.decode(e.ids, skip_special_tokens=special)
    return out


def with_words(tok, *words):
    """The tokenizer with words in its vocabulary that no merge makes."""
    config = json.loads(tok.to_str())
    for word in words:
        config["model"]["vocab"].setdefault(word, len(config["model"]["vocab"]))
    return Tokenizer.from_str(json.dumps(config))


def golden():
    shared = NASTY + [text() for _ in range(60)] + ["aaaaaaaaaa" * 30, "33333333 " * 20, "a\u0301" * 50]
    maps = {}
    result = {"texts": shared, "charsmaps": maps, "tokenizers": []}
    for name, make in B.items():
        config = json.loads(make().to_str())
        tok = Tokenizer.from_str(json.dumps(config))
        cases = []
        chosen = [i for i, t in enumerate(shared) if "<" in t or "HELLO" in t or t.isdigit()]
        for k, i in enumerate(chosen + RNG.sample(range(len(shared)), 70)):
            j = RNG.randrange(len(shared)) if k % 9 == 5 else -1
            case = {"text": i, "pair": j, "special": k % 3 != 2}
            case.update(run(tok, shared[i], None if j < 0 else shared[j], case["special"]))
            cases.append(case)
        for n in (config["normalizer"] or {}).get("normalizers", []):
            if n["type"] == "Precompiled":
                key = next((k for k, v in maps.items() if v == n["precompiled_charsmap"]), "map%d" % len(maps))
                maps[key] = n["precompiled_charsmap"]
                n["precompiled_charsmap"] = "@" + key
        result["tokenizers"].append({"name": name, "config": config, "cases": cases})
    with open("kinds.json.gz", "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=9) as f:
        f.write(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode())
    print(len(shared), "texts", len(B), "tokenizers")


def differ(folder, count, seed, only):
    RNG.seed(seed)
    for name, make in B.items():
        if only and name not in only:
            continue
        tok = make()
        tok.save("%s/%s.json" % (folder, name))
        with open("%s/%s.jsonl" % (folder, name), "w") as f:
            for i in range(count):
                case = {"text": text(), "pair": text() if i % 11 == 5 else None, "special": i % 3 != 2}
                case.update(run(tok, case["text"], case["pair"], case["special"]))
                f.write(json.dumps(case) + "\n")
        print(name, flush=True)


if len(sys.argv) > 3:
    differ(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
else:
    golden()
