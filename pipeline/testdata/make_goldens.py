#!/usr/bin/env python3
"""Make the golden sentence-transformers folders of this folder: tiny models, and sentence-transformers' own answers.

Run from the repository root, in an environment that has the packages of requirements.txt beside this file:

    python pipeline/testdata/make_goldens.py [NAME-PREFIX…]

Each folder is a model as sentence-transformers stores one, with random weights, and golden.json: the answers in
float64 to the texts of texts.json (or its pairs, for a cross-encoder), and the error of float32. Seeds are fixed.
"""
import dataclasses
import importlib.util
import json
import pathlib
import shutil
import sys
import zlib
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parents[1] / "model" / "testdata"))
spec = importlib.util.spec_from_file_location("checkpoints", HERE.parents[1] / "model" / "testdata" / "make_goldens.py")
checkpoints = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checkpoints)

PIECES = """the a an of to in is it was for on that with as at by from this be are or not you i we he she they what how
why when where who do does did can will one two three time year people way day man world life hand part child eye
woman place work week case point number group problem fact query passage text model tower river stone light water
red green blue old new small big good bad open run read write think make take give ##s ##ed ##ing ##er ##est ##ly
##ness ##ment ##tion ##al ##ful ##less un re Paris London Berlin The What How""".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
VOCAB = (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(LETTERS) + ["##" + c for c in LETTERS]
         + list("ABCDEFGHIJKLMNOPQRSTUVWXYZ") + list(".,;:!?'\"()-/é中") + PIECES)

TEXTS = [
    "The river is old.",
    "What is the way to the tower?",
    "",
    " \t ",
    "a",
    "Paris, London and Berlin are big; this one is not!",
    "unthinking readers rewrite the smallest problems of the world, week by week, year by year, and give it to people who read",
    "Café crème à l'été: naïve coöperation",
    "中文 text と mixed",
    "stone 🪨 and water 💧 for 3.14 days",
    "ANTIDISESTABLISHMENTARIANISM",
    "query: how do i open a model?",
    "e\u0301 and \u00e9 are one\u200b thing, \u00a0are they\u2028not?",
    "x" * 120,
]
PAIRS = [["how do i open the door?", t] for t in TEXTS] + [[TEXTS[6], TEXTS[5]], [TEXTS[6], TEXTS[6]]]


@dataclasses.dataclass
class Folder:
    name: str
    about: str
    pooling: dict | None = None
    arch: str = "BertModel"
    normalize: bool = False
    dense: int = 0
    max_seq: int | None = None
    lower: bool = True            # of the tokenizer
    lower_first: bool = False     # of sentence_bert_config.json: the text, before the tokenizer
    path: str = ""
    tokenizer_json: bool = True
    prompts: dict | None = None
    dtype: Any = torch.float16
    config: dict = dataclasses.field(default_factory=dict)

    @property
    def family(self):
        return "distilbert" if self.arch.startswith("Distil") else "bert"


def flags(*on, **more):
    """A Pooling config as sentence-transformers wrote it up to version 5."""
    names = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    return {"word_embedding_dimension": 20, **{f"pooling_mode_{n}": n in on for n in names}, **more}


FOLDERS = [
    Folder("st-mean", "the mean, normalised; tokenizer.json asks for truncation to 8 and padding, but max_seq_length 12 rules",
           flags("mean_tokens"), normalize=True, max_seq=12, dtype=torch.float32),
    Folder("st-cls", "the first token, not normalised; a cased vocab.txt and no tokenizer.json", flags("cls_token"), lower=False, tokenizer_json=False, max_seq=20),
    Folder("st-max", "the largest of each component; no sentence_bert_config.json: the tokenizer's model_max_length 24 rules", flags("max_tokens")),
    Folder("st-last", "the last token, normalised; the Pooling config of version 6", {"embedding_dimension": 20, "pooling_mode": "lasttoken", "include_prompt": True},
           normalize=True, max_seq=16),
    Folder("st-all", "six kinds of pooling side by side",
           flags("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"), max_seq=24),
    Folder("st-dense", "the mean, a Dense module of 7 outputs with tanh, normalised", flags("mean_tokens"), dense=7, normalize=True, max_seq=24),
    Folder("st-prompt", "a default prompt, whose tokens pooling leaves out", flags("mean_tokens", include_prompt=False), max_seq=24,
           prompts={"query": "query: ", "passage": "passage: "}),
    Folder("st-distilbert", "DistilBERT in a folder of its own, 0_Transformer; do_lower_case before a cased tokenizer", flags("mean_tokens"),
           arch="DistilBertModel", path="0_Transformer", max_seq=10, lower=False, lower_first=True),
    Folder("ce-one", "a cross-encoder of one label: a sigmoid gives the score", arch="BertForSequenceClassification", config=dict(num_labels=1)),
    Folder("ce-three", "a cross-encoder of three labels: logits as they are", arch="BertForSequenceClassification", config=dict(num_labels=3)),
]


def dump(file, value):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_tokenizer(f, folder):
    (folder / "vocab.txt").write_text("".join(p + "\n" for p in VOCAB))
    dump(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer" if f.family == "bert" else "DistilBertTokenizer", "do_lower_case": f.lower,
                                            "model_max_length": 24, "tokenize_chinese_chars": True, "strip_accents": None,
                                            **{k + "_token": f"[{k.upper()}]" for k in ("pad", "unk", "cls", "sep", "mask")}})
    if not f.tokenizer_json:
        return
    t = Tokenizer(models.WordPiece({p: i for i, p in enumerate(VOCAB)}, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=f.lower)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                                     special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    t.decoder = decoders.WordPiece(prefix="##")
    t.add_special_tokens(VOCAB[:5])
    if f.name == "st-mean":
        t.enable_truncation(8)
        t.enable_padding(length=8)
    t.save(str(folder / "tokenizer.json"), pretty=False)


def write_modules(f, root, gen):
    dump(root / f.path / "sentence_bert_config.json", {"max_seq_length": f.max_seq, "do_lower_case": f.lower_first}) if f.max_seq else None
    modules = [("Transformer", f.path), ("Pooling", "1_Pooling")]
    dump(root / "1_Pooling" / "config.json", f.pooling)
    if f.dense:
        modules.append(("Dense", "2_Dense"))
        dump(root / "2_Dense" / "config.json", {"in_features": 20, "out_features": f.dense, "bias": True, "activation_function": "torch.nn.modules.activation.Tanh"})
        save_file({"linear.weight": 0.1 * torch.randn(f.dense, 20, generator=gen), "linear.bias": 0.1 * torch.randn(f.dense, generator=gen)},
                  root / "2_Dense" / "model.safetensors", metadata={"format": "pt"})
    if f.normalize:
        modules.append(("Normalize", f"{len(modules)}_Normalize"))
    dump(root / "modules.json", [{"idx": i, "name": str(i), "path": p, "type": "sentence_transformers.models." + t} for i, (t, p) in enumerate(modules)])
    if f.prompts:
        dump(root / "config_sentence_transformers.json", {"prompts": f.prompts, "default_prompt_name": "query", "similarity_fn_name": "cosine"})


def run(f, root, dtype, order=0):
    """sentence-transformers' answer; order > 0 renames the channels, so that float32 sums in another order."""
    options = dict(model_kwargs={"dtype": dtype, "attn_implementation": "eager"}, device="cpu", local_files_only=True)
    case = dataclasses.replace(f)
    if f.pooling is None:
        ce = CrossEncoder(str(root), **options)
        if order:
            case.arch = f.arch
            checkpoints.reorder(ce.model, case, order)
        return np.asarray(ce.predict(PAIRS, batch_size=4, convert_to_tensor=True, show_progress_bar=False).double())
    st = SentenceTransformer(str(root), **options).to(dtype).eval()
    if order:
        back = torch.argsort(checkpoints.reorder(st[0].auto_model, case, order))
        st[0].register_forward_hook(lambda _m, _in, out: {**out, "token_embeddings": out["token_embeddings"][..., back]})
    return st.encode(TEXTS, batch_size=4, convert_to_tensor=True, show_progress_bar=False).double().numpy()


def make(f):
    root = HERE / f.name
    shutil.rmtree(root, ignore_errors=True)
    gen = torch.Generator().manual_seed(zlib.crc32(f.name.encode()))
    conf = checkpoints.config_of(dataclasses.replace(f, config={"vocab_size": len(VOCAB), **f.config}))
    model = getattr(transformers, f.arch)(conf).eval()
    with torch.no_grad():
        checkpoints.fill(model, gen)
    folder = root / f.path
    model.to(f.dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_tokenizer(f, folder)
    if f.pooling:
        write_modules(f, root, gen)
    want = run(f, root, torch.float64)
    assert np.isfinite(want).all()
    error = max(np.abs(run(f, root, torch.float32, i) - want).max() for i in range(checkpoints.ORDERS))
    assert error < 1e-4 * np.abs(want).max(), (f.name, error)
    dump(root / "golden.json", {"about": f.about, "max_abs": float(f"{np.abs(want).max():.6g}"), "float32_error": float(f"{error:.4g}"),
                                "scores" if f.pooling is None else "embeddings": []})
    # one row a line keeps the file readable
    key = "scores" if f.pooling is None else "embeddings"
    rows = ",\n  ".join(json.dumps([float(f"{x:.9g}") for x in np.atleast_1d(r)]) for r in want)
    text = (root / "golden.json").read_text().replace(f'"{key}": []', f'"{key}": [\n  {rows}\n ]')
    (root / "golden.json").write_text(text)
    print(f"{f.name:16s} {want.shape} relative float32 error {error / np.abs(want).max():.1e}", flush=True)


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    dump(HERE / "texts.json", {"texts": TEXTS, "pairs": PAIRS})
    for f in FOLDERS:
        if any(f.name.startswith(c) for c in sys.argv[1:] or [""]):
            make(f)


if __name__ == "__main__":
    main()
