"""The work that is compared, and what Ladon is to reach on it.

A case is a piece of work, the arguments of `ladon bench` that do it, and the same work for the peers as the worker
understands it. `against` names the peers whose best the ratio is taken to; the others are shown for information.
`must` and `aim` hold for one thread, unless the case brings its own number of threads.
"""
import dataclasses


@dataclasses.dataclass
class Case:
    name: str
    ladon: list
    peers: dict                  # name → work for worker.py, or {"ladon": arguments} for Ladon in another setting
    against: list = ()           # peers that count; empty: none does
    measure: str = "ratio"       # or "share", of the peak
    must: float | None = None
    aim: float | None = None
    texts: int = 0               # texts in one run, where texts a second are of interest
    env: dict = dataclasses.field(default_factory=dict)
    threads: int = 0             # 0: as many as asked for
    default: bool = True         # runs when nothing is named


F32 = ("torch", "openvino", "ort", "ort-fused")
INT8 = ("ort-int8", "ort-fused-int8")


def evenly(count, low, high):
    return [round(low + i * (high - low) / (count - 1)) for i in range(count)]


def gemm(m, n, k, **kw):
    work = dict(op="gemm", m=m, n=n, k=k)
    return Case(f"gemm-f32/{m}x{n}x{k}", ["gemm", "-m", m, "-n", n, "-k", k, "-dtype", "f32"],
                {"torch": work, "numpy": work}, measure="share", **kw)


def minilm(name, ladon, work, int8, **kw):
    extra = kw.pop("extra", {})
    peers = {p: work for p in (INT8 if int8 else (*F32, "openvino-bf16"))} | extra
    dtype = "int8" if int8 else "f32"
    return Case(f"minilm-{dtype}/{name}", ["forward", "-model", "{MINILM}", *ladon, "-dtype", dtype], peers,
                against=kw.pop("against", INT8 if int8 else F32), **kw)


def padded(batch, seq, int8=False, **kw):
    return minilm(f"b{batch}s{seq}", ["-batch", batch, "-seq", seq], dict(op="minilm", lens=[seq] * batch), int8, **kw)


def ragged(int8=False, **kw):
    lens = evenly(32, 5, 256)
    each = {"ort-int8-each" if int8 else "ort-each": dict(op="minilm-each", lens=lens)}
    return minilm("ragged32", ["-lens", ",".join(map(str, lens))], dict(op="minilm", lens=lens), int8, texts=32,
                  against=INT8 if int8 else ("ort", "ort-fused"), extra=each, **kw)


def attention(batch, heads, q, k, dim, must, aim, causal=False):
    name = f"attention-f32/b{batch}h{heads}q{q}k{k}d{dim}{'c' if causal else ''}"
    work = dict(op="sdpa", batch=batch, heads=heads, q=q, k=k, dim=dim, causal=causal)
    args = ["attention", "-batch", batch, "-heads", heads, "-kv-heads", heads, "-q", q, "-k", k, "-dim", dim] + ["-causal"] * causal
    return Case(name, args, {"torch": work}, against=["torch"], must=must, aim=aim, default=False)


def ragged_attention():
    lens = evenly(64, 5, 512)
    return Case("attention-f32/ragged64h12d64", ["attention", "-lens", ",".join(map(str, lens)), "-heads", 12, "-kv-heads", 12, "-dim", 64],
                {"torch": dict(op="sdpa-padded", lens=lens, heads=12, dim=64)}, against=["torch"], must=3.0, aim=3.8, texts=64, default=False)


def window():
    args = ["attention", "-batch", 1, "-heads", 12, "-kv-heads", 12, "-q", 8192, "-k", 8192, "-dim", 64, "-causal"]
    return Case("attention-f32/window256of8192c", [*args, "-window", 256], {"ladon-full": {"ladon": args}}, against=["ladon-full"], must=10, aim=12, default=False)


def mha(batch, seq, model_dim, heads, must=None, aim=None, weights=False):
    """torch.nn.MultiheadAttention; with weights, those of every head as well (need_weights)."""
    work = dict(op="mha", batch=batch, seq=seq, model_dim=model_dim, heads=heads, weights=weights)
    args = ["mha", "-batch", batch, "-seq", seq, "-model-dim", model_dim, "-heads", heads] + ["-probe", "weights"] * weights
    return Case(f"mha-f32/b{batch}s{seq}d{model_dim}h{heads}{'-weights' if weights else ''}", args,
                {"torch": work}, against=["torch"], must=must, aim=aim, default=False)


def probe_cost(seq, kept):
    """MiniLM with a probe in every layer, against itself without: at most a quarter more time."""
    args = ["forward", "-model", "{MINILM}", "-batch", 1, "-seq", seq, "-dtype", "f32"]
    return Case(f"attention-probe/minilm-s{seq}-{kept}", [*args, "-probe", kept], {"ladon-plain": {"ladon": args}},
                against=["ladon-plain"], must=0.8, aim=0.9, default=False)


def fewer_heads(seq, heads, live, dim):
    """A head mask that leaves some heads, against all of them."""
    args = ["attention", "-q", seq, "-heads", heads, "-dim", dim]
    return Case(f"attention-heads/{live}of{heads}q{seq}d{dim}", [*args, "-live-heads", live], {"ladon-all": {"ladon": args}},
                against=["ladon-all"], must=0.95 * heads / live, aim=heads / live, default=False)


def twice(case):
    """A case on two threads against the same on one."""
    return Case("two-threads/" + case.name, case.ladon, {"ladon-1": {"ladon": case.ladon, "threads": 1}},
                against=["ladon-1"], must=1.85, aim=1.95, threads=2, default=False)


def two_threads():
    """Two threads over one: Ladon against itself; ONNX Runtime's own gain is beside it."""
    args = ["forward", "-model", "{MINILM}", "-batch", 8, "-seq", 128, "-dtype", "f32"]
    work = dict(op="minilm", lens=[128] * 8)
    return Case("two-threads/minilm-f32-b8s128", args, {"ladon-1": {"ladon": args, "threads": 1}, "ort": work, "ort-1": {**work, "threads": 1}},
                against=["ladon-1"], must=1.85, aim=1.95, threads=2)


def encode(model, against, args, must=None, aim=None, dtype="f32", **work):
    """One forward pass of a model with random weights over texts of seq tokens, pictures, or both."""
    name = "-".join([f"{work[k]}x{work.get('seq', '')}{k}" if k == "texts" else f"{work[k]}{k}" for k in ("texts", "images") if k in work])
    return Case(f"{model}-{dtype}/{name}", ["forward", "-model", "{MODELS}/" + model, *args, "-dtype", dtype],
                {p: dict(op="encode", model=model, **work) for p in against}, against=against, must=must, aim=aim, default=False)


def translate(model, against, seq, new, beams=1, must=None, aim=None, dtype="f32"):
    """A source of seq tokens, and new tokens out of it."""
    return Case(f"{model}-{dtype}/source{seq}new{new}beams{beams}",
                ["generate", "-model", "{MODELS}/" + model, "-prompt", seq, "-new", new, "-num-beams", beams, "-dtype", dtype],
                {p: dict(op="translate", model=model, seq=seq, new=new, beams=beams) for p in against}, against=against, must=must, aim=aim, default=False)


def photograph(edge, must, aim):
    """A JPEG of 12 megapixels, decoded and made so small."""
    return Case(f"picture/jpeg12mp-to-{edge}", ["picture", "-image", "{MODELS}/photograph/photograph.jpg", "-edge", edge],
                {"pillow": dict(op="picture", model="photograph", edge=edge)}, against=["pillow"], must=must, aim=aim, default=False)


ATTENTION = [
    attention(1, 12, 128, 128, 64, 1.4, 1.6),
    attention(32, 12, 128, 128, 32, 1.45, 1.75),
    attention(1, 12, 512, 512, 64, 1.17, 1.3),
    attention(1, 12, 2048, 2048, 64, 1.15, 1.3),
    attention(1, 12, 2048, 2048, 64, 1.4, 1.6, causal=True),
    attention(1, 16, 4096, 4096, 128, 1.2, 1.32, causal=True),
    attention(1, 32, 1, 2048, 128, 0.97, 1.04),
    ragged_attention(),
    mha(1, 128, 384, 12, 1.1, 1.16),
]

CASES = [
    gemm(1024, 1024, 1024, must=0.92, aim=0.97),
    gemm(512, 3072, 768, must=0.92, aim=0.97),
    Case("gemm-f32-avx2/1024x1024x1024", ["gemm", "-m", 1024, "-n", 1024, "-k", 1024, "-dtype", "f32"], {},
         measure="share", must=0.88, aim=0.95, env={"LADON_ISA": "avx2"}),
    Case("linear-gelu-f32/128x1536x384", ["gemm", "-m", 128, "-n", 1536, "-k", 384, "-dtype", "f32", "-epilogue", "bias-gelu"],
         {"torch": dict(op="linear-gelu", m=128, n=1536, k=384)}, against=["torch"], must=1.0, aim=1.05),
    Case("linear-int8/512x3072x768", ["gemm", "-m", 512, "-n", 3072, "-k", 768, "-dtype", "int8", "-epilogue", "bias"],
         {p: dict(op="linear-int8", m=512, n=3072, k=768) for p in ("torch-fbgemm", "torch-x86")},
         against=["torch-fbgemm", "torch-x86"], must=1.0, aim=1.15),
    padded(1, 128, must=1.1, aim=1.14),
    padded(1, 16, must=1.15, aim=1.3),
    padded(8, 128),
    padded(1, 128, int8=True, must=1.4, aim=1.7),
    padded(1, 16, int8=True, must=1.2, aim=1.5),
    padded(8, 128, int8=True),
    ragged(must=2.2, aim=2.5),
    ragged(int8=True),
    two_threads(),
    *ATTENTION,
    mha(8, 128, 768, 12),
    window(),
    *map(twice, ATTENTION),
    mha(1, 128, 384, 12, 1.0, 1.5, weights=True),
    mha(1, 512, 384, 12, 1.0, 1.5, weights=True),
    probe_cost(512, "topk"),
    fewer_heads(512, 12, 6, 32),
    encode("xlnet-base", ["torch"], ["-batch", 1, "-seq", 128], texts=1, seq=128, must=1.3, aim=2),
    encode("albert-base", ["torch"], ["-batch", 1, "-seq", 128], texts=1, seq=128),
    encode("vit-base", ["torch", "ort", "openvino"], ["-batch", 1], images=1, must=1.1, aim=1.2),
    encode("clip-b32", ["torch"], ["-batch", 32, "-seq", 77, "-images", 8], texts=32, seq=77, images=8, must=1.2, aim=1.4),
    encode("clip-b32", ["torch"], ["-batch", 32, "-seq", 16, "-images", 8], texts=32, seq=16, images=8, must=1.2, aim=1.4),
    photograph(224, must=0.5, aim=0.8),
    translate("t5-small", ["ctranslate2", "torch"], 128, 64, must=1.0, aim=1.3),
    translate("t5-small", ["ctranslate2-int8"], 128, 64, must=1.0, aim=1.3, dtype="int8"),
    translate("transformer-base", ["torch"], 32, 32, beams=4, must=2, aim=3),
]
