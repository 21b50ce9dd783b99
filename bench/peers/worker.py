#!/usr/bin/env python3
"""worker.py THREADS: does work for run.py with one peer, in a process of its own.

Reads one JSON object a line: {"peer", "work", "budget_ms"}; answers with {"ms", "median", "runs"} or {"error"}. Work that
was done before is kept set up. With "answer" in place of "budget_ms" it stores the result as that .npy file.
"""
import json
import os
import sys
import time

THREADS = int(sys.argv[1])
for name in ("OMP", "MKL", "OPENBLAS"):
    os.environ[name + "_NUM_THREADS"] = str(THREADS)
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

import worker_models
from inputs import feed_of

RNG = np.random.default_rng(7)
MODELS = {}


def torch():
    import torch as t

    t.set_num_threads(THREADS)
    t.set_grad_enabled(False)
    return t


def randn(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def minilm(peer):
    """A function from a feed to last_hidden_state."""
    if peer in MODELS:
        return MODELS[peer]
    onnx = os.environ["MINILM_ONNX"]
    if peer == "torch":
        t = torch()
        from transformers import AutoModel

        model = AutoModel.from_pretrained(os.environ["MINILM"], attn_implementation="sdpa").eval()

        def run(feed):
            return model(**{k: t.from_numpy(v) for k, v in feed.items()}).last_hidden_state
    elif peer.startswith("ort"):
        import onnxruntime

        file = {"ort": "model", "ort-fused": "fused", "ort-int8": "int8", "ort-fused-int8": "fused_int8"}[peer.removesuffix("-each")]
        opts = onnxruntime.SessionOptions()
        opts.intra_op_num_threads, opts.inter_op_num_threads = THREADS, 1
        session = onnxruntime.InferenceSession(f"{onnx}/{file}.onnx", opts, providers=["CPUExecutionProvider"])

        def run(feed):
            return session.run(None, feed)[0]
    else:
        import openvino

        core = openvino.Core()
        model = core.compile_model(f"{onnx}/model.onnx", "CPU", {
            "INFERENCE_PRECISION_HINT": "bf16" if peer.endswith("bf16") else "f32", "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": THREADS})
        request = model.create_infer_request()

        def run(feed):
            return request.infer(feed, share_inputs=True, share_outputs=True)[0]
    MODELS[peer] = run
    return run


def prepare(peer, w):
    """A function without arguments that does the work once."""
    op = w["op"]
    if op in ("minilm", "minilm-each"):
        run = minilm(peer)
        if op == "minilm":
            feed = feed_of(w["lens"])
            return lambda: run(feed)
        feeds = [feed_of([n]) for n in w["lens"]]
        return lambda: [run(f) for f in feeds]
    if op in ("encode", "translate", "picture"):
        return getattr(worker_models, op)(peer, w, torch(), THREADS)
    if peer == "numpy":
        a, b = randn(w["m"], w["k"]), randn(w["n"], w["k"])
        return lambda: a @ b.T
    t = torch()
    F = t.nn.functional
    if op == "gemm":
        a, b = t.from_numpy(randn(w["m"], w["k"])), t.from_numpy(randn(w["n"], w["k"]))
        return lambda: t.mm(a, b.t())
    if op in ("linear-gelu", "linear-int8"):
        a, linear = t.from_numpy(randn(w["m"], w["k"])), t.nn.Linear(w["k"], w["n"]).eval()
        if op == "linear-gelu":
            return lambda: F.gelu(linear(a))
        t.backends.quantized.engine = peer.removeprefix("torch-")
        import warnings

        warnings.simplefilter("ignore")
        q = t.ao.quantization.quantize_dynamic(t.nn.Sequential(linear), {t.nn.Linear}, dtype=t.qint8)
        return lambda: q(a)
    if op == "sdpa":
        q, k, v = (t.from_numpy(randn(w["batch"], w["heads"], n, w["dim"])) for n in (w["q"], w["k"], w["k"]))
        return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=w["causal"])
    if op == "sdpa-padded":
        n = max(w["lens"])
        q, k, v = (t.from_numpy(randn(len(w["lens"]), w["heads"], n, w["dim"])) for _ in range(3))
        visible = (t.arange(n)[None] < t.tensor(w["lens"])[:, None])[:, None, None, :]
        return lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
    if op == "mha":
        module = t.nn.MultiheadAttention(w["model_dim"], w["heads"], batch_first=True).eval()
        x = t.from_numpy(randn(w["batch"], w["seq"], w["model_dim"]))
        return lambda: module(x, x, x, need_weights=w.get("weights", False), average_attn_weights=False)
    raise ValueError(f"no such work: {op}")


def measure(run, budget):
    """Minimum and median milliseconds over a time budget in seconds, after one or two runs that do not count."""
    start = time.perf_counter()
    run()
    if time.perf_counter() - start < budget / 4:
        run()
    times, end = [], time.perf_counter() + budget
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    times.sort()
    return {"ms": times[0] * 1e3, "median": times[len(times) // 2] * 1e3, "runs": len(times)}


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    ready = {}
    for line in sys.stdin:
        request = json.loads(line)
        key = json.dumps([request["peer"], request["work"]])
        try:
            if key not in ready:
                ready[key] = prepare(request["peer"], request["work"])
            if "answer" in request:
                np.save(request["answer"], np.asarray(ready[key]()))
                answer = {}
            else:
                answer = measure(ready[key], request["budget_ms"] / 1e3)
        except Exception as e:  # a peer that cannot do the work is a line in the table, not the end of it
            answer = {"error": f"{type(e).__name__}: {e}"[:200]}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
