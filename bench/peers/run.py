#!/usr/bin/env python3
"""Time Ladon and the peers by turns and write the table. run.sh beside this file prepares what it needs and says how to call it."""
import json
import os
import pathlib
import re
import subprocess
import sys

import report
from cases import CASES
from check import agreement

HERE = pathlib.Path(__file__).parent
ROUNDS = int(os.environ.get("ROUNDS", 3))
BUDGET = int(os.environ.get("BUDGET_MS", 500))
TIMEOUT = 120  # seconds for one run of one case
FAMILY = {"torch": "torch", "torch-fbgemm": "torch", "torch-x86": "torch", "numpy": "numpy"}


class Workers:
    """One process for each family of peers and number of threads, started when first needed."""

    def __init__(self):
        self.running = {}

    def ask(self, peer, threads, request):
        key = (FAMILY.get(peer, peer.split("-")[0]), threads)
        if key not in self.running:
            self.running[key] = subprocess.Popen([sys.executable, HERE / "worker.py", str(threads)], stdin=subprocess.PIPE,
                                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        p = self.running[key]
        try:
            p.stdin.write(json.dumps({"peer": peer, **request}) + "\n")
            p.stdin.flush()
            line = p.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            del self.running[key]
            return {"error": f"the worker for {key[0]} ended with {p.wait()}"}
        return json.loads(line)

    def close(self):
        for p in self.running.values():
            p.stdin.close()
            p.wait()


def ladon(args, threads, env):
    """One `ladon bench` line, or what went wrong."""
    places = {"MINILM": os.environ["MINILM"], "MODELS": os.environ["RANDOM_MODELS"]}
    command = [os.environ["LADON"], "bench", *(str(a).format(**places) for a in args),
               "-threads", str(threads), "-budget", f"{BUDGET}ms"]
    try:
        p = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as e:
        return {"error": str(e)[:200]}
    if p.returncode:
        return {"error": (p.stderr.strip().splitlines() or [f"exit {p.returncode}"])[0][:200]}
    try:
        r = json.loads(p.stdout.strip().splitlines()[-1])
        return {"ms": r["ms_min"], "median": r["ms_median"], "runs": r["runs"],
                **{k: r[k] for k in ("gflops", "share_of_peak", "tier", "tokens_per_s") if k in r}}
    except (ValueError, KeyError, IndexError) as e:
        return {"error": f"unexpected output: {type(e).__name__} {e}"}


def make_model(case):
    """The random model of a case, once."""
    for name in {w["model"] for w in case.peers.values() if "model" in w}:
        folder = pathlib.Path(os.environ["RANDOM_MODELS"]) / name
        if not (folder / "done").exists():
            subprocess.run([sys.executable, HERE / "random_models.py", name, folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            (folder / "done").touch()


def merge(runs):
    """The best of several rounds; an error only where no round went well."""
    good = [r for r in runs if "ms" in r]
    if not good:
        return runs[0]
    best = dict(min(good, key=lambda r: r["ms"]))
    best["ms_rounds"] = [round(r["ms"], 4) for r in good]
    # The clock drifts, so a round's share is of that round's peak; the strictest reading is the best speed over the best peak.
    peaks = [r["gflops"] / r["share_of_peak"] for r in good if r.get("share_of_peak") and "gflops" in r]
    if peaks:
        best["peak_gflops"] = round(max(peaks), 1)
        best["share_of_peak"] = round(max(r["gflops"] for r in good) / max(peaks), 4)
    return best


def run_case(case, threads, workers):
    """Every participant once a round, the order reversed every other round, so that none has the better place."""
    def take(name):
        if name == "ladon":
            return ladon(case.ladon, threads, case.env)
        work = case.peers[name]
        if "ladon" in work:
            return ladon(work["ladon"], work.get("threads", threads), case.env)
        peer = re.sub(r"-1$", "", name) if "threads" in work else name
        return workers.ask(peer, work.get("threads", threads), {"work": {k: v for k, v in work.items() if k != "threads"}, "budget_ms": BUDGET})

    names = ["ladon", *case.peers]
    runs = {n: [] for n in names}
    for i in range(ROUNDS):
        for n in names[::-1] if i % 2 else names:
            runs[n].append(take(n))
            if i == 0 and "error" in runs[n][0]:
                print(f"  {n}: {runs[n][0]['error']}", file=sys.stderr)
    return {n: merge(r) for n, r in runs.items()}


def main():
    args = sys.argv[1:]
    threads = [int(t) for t in args.pop(0).split(",")] if args and re.fullmatch(r"[\d,]+", args[0]) else [1, 2]
    chosen = [c for c in CASES if (any(c.name.startswith(a) for a in args) if args else c.default)]
    if not chosen:
        sys.exit("run.py: no such case; there are " + " ".join(c.name for c in CASES))
    workers, rows = Workers(), []
    about = report.machine(ROUNDS, BUDGET)
    about["agreement"] = agreement(workers)
    for t in threads:
        for case in chosen:
            if case.threads and (case.threads not in threads or t != case.threads):
                continue
            print(f"{case.name}, {t} thread{'s' * (t > 1)}", file=sys.stderr)
            make_model(case)
            rows.append(report.row(case, t, run_case(case, t, workers)))
            print("  " + report.line(rows[-1]), file=sys.stderr, flush=True)
    workers.close()
    about["load_after"] = os.getloadavg()[0]
    folder = HERE / "work" if args or threads != [1, 2] else HERE
    (folder / "RESULTS.json").write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    text = report.markdown(about, rows)
    (folder / "RESULTS.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
