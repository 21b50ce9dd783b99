#!/usr/bin/env python3
"""Time Ladon and llama.cpp by turns and write the table. llama.sh beside this file prepares what it needs."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import report

HERE = pathlib.Path(__file__).parent
GGUF = pathlib.Path(os.environ["GGUF"])
ROUNDS = int(os.environ.get("ROUNDS", 3))
PROMPT, NEW, DEPTH = 128, 32, 128

# File: what the prompt must reach and aims at, then tokens one by one; ratios to the peer on one thread.
FILES = {
    "smollm2-Q8_0": ((3, 5), (1.6, 2.8)),
    "smollm2-Q4_0": ((2.3, 3.3), (1.3, 2)),
    "smollm2-Q4_1": ((4, 8), None),
    "smollm2-Q4_K_M": ((3, 4.5), None),
    "gemma3-Q4_K_M": ((3, 4.5), None),
    "random-Q4_K_S": ((2.5, 4), (1.3, 2)),
    "random-Q6_K": ((2.5, 4), (1.3, 2)),
    "smollm2-BF16": (None, (1.3, 1.6)),
    "smollm2-F32": ((1.5, 1.8), (1.0, 1.05)),
}


def ladon_bench(model, threads, prompt):
    out = subprocess.run([os.environ["LADON"], "bench", "generate", "-model", model, "-prompt", str(prompt), "-new", str(NEW),
                          "-threads", str(threads)], capture_output=True, text=True, timeout=300, check=True).stdout
    r = json.loads(out)
    return {"prompt": r["prompt_tokens_per_s"], "new": r["new_tokens_per_s"], "share": r["share_of_peak"]}


def llama_bench(model, threads, prompt):
    def run(*args):
        out = subprocess.run([f"{os.environ['LLAMA_BIN']}/llama-bench", "-m", model, "-t", str(threads), "-r", "3", "-o", "jsonl", *args],
                             capture_output=True, text=True, timeout=300, check=True).stdout
        return max(1e9 / ns * (r["n_prompt"] + r["n_gen"]) for r in map(json.loads, out.splitlines()) for ns in r["samples_ns"])
    return {"prompt": run("-p", str(prompt), "-n", "0"), "new": run("-p", "0", "-n", str(NEW), "-d", str(DEPTH))}


def torch_prompt(folder, threads, prompt):
    code = f"""
import time, torch
from transformers import GPT2Model
torch.set_num_threads({threads}); torch.set_grad_enabled(False)
m = GPT2Model.from_pretrained({str(folder)!r}, attn_implementation="sdpa").eval(); ids = torch.arange({prompt})[None]
best = 1e9
for _ in range(8):
    t = time.perf_counter(); m(input_ids=ids); best = min(best, time.perf_counter() - t)
print({prompt} / best)
"""
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    return {"prompt": float(subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300, check=True).stdout)}


def first_token(model, threads):
    """Seconds from the process's start to its first token's end, the file being in the page cache."""
    start = time.perf_counter()
    subprocess.run([os.environ["LADON"], "generate", "-model", model, "-threads", str(threads), "-max-new-tokens", "1",
                    "-prompt", "The quick brown fox jumps over the lazy dog and then it"], capture_output=True, timeout=60, check=True)
    return time.perf_counter() - start


def best(runs):
    return {k: max(r[k] for r in runs) for k in runs[0]}


def turns(mine, theirs):
    runs = {mine: [], theirs: []}
    for i in range(ROUNDS):
        for f in (mine, theirs) if i % 2 == 0 else (theirs, mine):
            runs[f].append(f())
    return best(runs[mine]), best(runs[theirs])


def main():
    args = sys.argv[1:]
    threads = [int(t) for t in args.pop(0).split(",")] if args and re.fullmatch(r"[\d,]+", args[0]) else [1, 2]
    wanted = lambda name: not args or any(name.startswith(a) for a in args)
    about, rows = report.machine(ROUNDS, 1500), []

    def add(case, t, mine, theirs, goal, share=None):
        must, aim = goal if goal and t == 1 else (None, None)
        rows.append({"case": case, "threads": t, "ladon": round(mine, 1), "peer": round(theirs, 1), "ratio": round(mine / theirs, 2),
                     "must": must, "aim": aim, "share_of_read": share})
        print(rows[-1], file=sys.stderr, flush=True)

    for t in threads:
        for name, (prompt, new) in FILES.items():
            model = str(GGUF / f"{name}.gguf")
            if not wanted(name) or not os.path.exists(model):
                continue
            a, b = turns(lambda: ladon_bench(model, t, PROMPT), lambda: llama_bench(model, t, PROMPT))
            add(f"{name}, prompt of {PROMPT}", t, a["prompt"], b["prompt"], prompt)
            add(f"{name}, one by one", t, a["new"], b["new"], new, round(a["share"], 2))
        if wanted("smollm2-F32"):
            model = str(GGUF / "smollm2-F32.gguf")
            a, b = turns(lambda: ladon_bench(model, t, 512), lambda: llama_bench(model, t, 512))
            add("smollm2-F32, prompt of 512", t, a["prompt"], b["prompt"], (1.5, 1.8))
        if wanted("gpt2"):
            a, b = turns(lambda: ladon_bench(str(GGUF / "gpt2"), t, 512), lambda: torch_prompt(GGUF / "gpt2", t, 512))
            add("GPT-2 small f32, prompt of 512, against torch", t, a["prompt"], b["prompt"], (1.25, 1.5))
        if wanted("start"):
            about[f"first_token_s_{t}"] = round(min(first_token(str(GGUF / "smollm2-Q4_1.gguf"), t) for _ in range(5)), 3)
    folder = HERE / "work" if args or threads != [1, 2] else HERE
    (folder / "LLAMA.json").write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    lines = ["# Ladon and llama.cpp, by turns in one run", "",
             f"`bench/peers/llama.sh` on {about['cpu']}; tokens a second, the best of {ROUNDS} rounds; the share is of the read bandwidth",
             "swept at the bytes that a token needs. SmolLM2-135M, Gemma 3 270M, a random Llama (2048 wide, 4 layers).", "",
             "| work | threads | Ladon | peer | ratio | must | aim | share of reading |", "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| {r['case']} | {r['threads']} | {r['ladon']} | {r['peer']} | {r['ratio']}× | {r['must'] or ''} | {r['aim'] or ''} | {r['share_of_read'] or ''} |")
    for t in threads:
        if f"first_token_s_{t}" in about:
            lines.append(f"\nProcess start to first token, SmolLM2 Q4_1, prompt of about 16, {t} thread{'s' * (t > 1)}: {about[f'first_token_s_{t}']} s.")
    text = "\n".join(lines) + "\n"
    (folder / "LLAMA.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
