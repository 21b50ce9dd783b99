"""What the machine is, a case's result as a row, and the rows as a table."""
import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess

PEERS = ("torch", "onnxruntime", "openvino", "numpy")


def machine(rounds, budget):
    """The machine and the versions; what cannot be read is left out."""
    info = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else []:
        key, _, value = line.partition(":")
        info.setdefault(key.strip(), value.strip())
    flags = info.get("flags", "").split()
    run = lambda *c: subprocess.run(c, capture_output=True, text=True, cwd=pathlib.Path(__file__).parent).stdout.strip()
    return {
        "cpu": info.get("model name", platform.processor() or platform.machine()),
        "cpu_id": "family {} model {} stepping {}".format(*(info.get(k, "?") for k in ("cpu family", "model", "stepping"))),
        "features": [f for f in ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8") if f in flags],
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {p: importlib.metadata.version(p) for p in PEERS if _installed(p)},
        "ladon": run("git", "describe", "--always", "--dirty") or "(revision unknown)",
        "go": run("go", "env", "GOVERSION"),
        "rounds": rounds,
        "budget_ms": budget,
        "load_before": os.getloadavg()[0],
    }


def _installed(package):
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return False


def row(case, threads, results):
    ours = results.pop("ladon")
    timed = {n: r for n, r in results.items() if "ms" in r}
    counted = {n: timed[n]["ms"] for n in case.against if n in timed}
    out = dict(case=case.name, threads=threads, measure=case.measure, texts=case.texts, ladon=ours, peers=results)
    # The figures to reach are for one thread, unless the case is about threads.
    if threads == 1 or case.threads:
        out.update(must=case.must, aim=case.aim)
    if counted:
        out["best_peer"] = min(counted, key=counted.get)
    if "ms" in ours:
        if case.measure == "share":
            out["value"] = ours.get("share_of_peak")
        elif counted:
            out["value"] = round(counted[out["best_peer"]] / ours["ms"], 3)
    return out


def verdict(r):
    if r.get("must") is None:
        return ""
    if r.get("value") is None:
        return "not measured"
    if r["measure"] == "share" and r["value"] > 1.02:
        return "void: above the measured peak"
    if needed := r["must"] / r["value"] * r["ladon"].get("share_of_peak", 0) if r["measure"] == "ratio" else 0:
        # What no product of matrices reaches on this CPU cannot be asked for.
        if r["value"] < r["must"] and needed > 0.93:
            return f"void: at {r['ladon']['share_of_peak']:.1%} of peak, and needs {needed:.1%}"
    return "aim reached" if r["value"] >= r["aim"] else "reached" if r["value"] >= r["must"] else "**missed**"


def time_of(r, texts=0):
    if "ms" not in r:
        return "failed"
    s = f"{r['ms']:.3f}" if r["ms"] < 10 else f"{r['ms']:.1f}"
    return s + (f" ({texts / r['ms'] * 1e3:.0f} texts/s)" if texts else "")


def value_of(r):
    if r.get("value") is None:
        return "–"
    return f"{r['value']:.3f} of peak" if r["measure"] == "share" else f"{r['value']:.2f}×"


def line(r):
    return f"ladon {time_of(r['ladon'], r['texts'])} ms, " + ", ".join(f"{n} {time_of(p)}" for n, p in r["peers"].items()) + f": {value_of(r)} {verdict(r)}"


def bound(r, key):
    if r.get(key) is None:
        return ""
    return f"{r[key]:g}" if r["measure"] == "share" else f"{r[key]:g}×"


def markdown(about, rows):
    v = ", ".join(f"{k} {x}" for k, x in about["versions"].items())
    out = [
        "# Ladon beside its peers", "",
        f"{about['cpu']} ({about['cpu_id']}; {' '.join(about['features'])}), {about['cores']} cores, {about['date']}. Ladon {about['ladon']}, {about['go']}; {v}.",
        f"Milliseconds, the minimum over {about['rounds']} rounds of {about['budget_ms']} ms each; in a round Ladon and each peer run one after the other. "
        "A ratio is the best peer's time over Ladon's (the peers that it counts are in bold), a share is of this CPU's measured peak for the instruction set in use. "
        f"Load average before and after: {about['load_before']:.2f}, {about['load_after']:.2f}.",
    ]
    for t in sorted({r["threads"] for r in rows}):
        mine = [r for r in rows if r["threads"] == t]
        targets = any(r.get("must") is not None for r in mine)
        out += ["", f"## {t} thread{'s' * (t > 1)}", "", "| work | Ladon | ratio or share |" + (" must | aim | |" if targets else "") + " peers |",
                "|---|---|---|" + ("---|---|---|" if targets else "") + "---|"]
        for r in mine:
            order = sorted(r["peers"].items(), key=lambda p: p[1].get("ms", 1e9))
            peers = ", ".join(f"**{n} {time_of(p, r['texts'])}**" if n == r.get("best_peer") else f"{n} {time_of(p, r['texts'])}" for n, p in order)
            ours = time_of(r["ladon"], r["texts"]) + (f", {r['ladon']['gflops']:.0f} GFLOP/s" if r["measure"] == "share" and "gflops" in r["ladon"] else "")
            out.append(f"| {r['case']} | {ours} | {value_of(r)} |" + (f" {bound(r, 'must')} | {bound(r, 'aim')} | {verdict(r)} |" if targets else "") + f" {peers} |")
    failed = [(r["case"], r["threads"], n, p["error"]) for r in rows for n, p in [("ladon", r["ladon"]), *r["peers"].items()] if "error" in p]
    if failed:
        out += ["", "Failed:", ""] + [f"- {c}, {t} threads, {n}: {e}" for c, t, n, e in failed]
    out += ["", "MiniLM's token vectors on one ragged batch, against torch in float32: "
            + "; ".join(f"{n} {a['error']}" if "error" in a else f"{n} off by {a['max_abs']:g} at most, cosine ≥ {a['min_cosine']:.6f}" for n, a in about["agreement"].items()) + ".", ""]
    return "\n".join(out)
