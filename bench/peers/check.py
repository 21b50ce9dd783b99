"""Whether all of them compute the same thing: MiniLM's answers on one ragged batch, held against torch's float32."""
import os
import pathlib
import subprocess
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

from inputs import feed_of

LENS = [40, 7, 23]


def agreement(workers):
    """For each participant the largest difference and the smallest cosine of a token's vector, or the error."""
    feed = feed_of(LENS)
    seen = feed["attention_mask"] == 1
    out = {}
    with tempfile.TemporaryDirectory() as tmp:
        file = str(pathlib.Path(tmp) / "answer.npy")

        def peer(name):
            r = workers.ask(name, 1, {"work": {"op": "minilm", "lens": LENS}, "answer": file})
            return r.get("error") or np.load(file)

        def ladon(dtype):
            given, answer = f"{tmp}/in.safetensors", f"{tmp}/out.safetensors"
            save_file(feed, given)
            try:
                p = subprocess.run([os.environ["LADON"], "forward", "-model", os.environ["MINILM"], "-in", given, "-out", answer, "-dtype", dtype],
                                   capture_output=True, text=True, timeout=120)
            except (OSError, subprocess.TimeoutExpired) as e:
                return str(e)[:200]
            return load_file(answer)["last_hidden_state"] if p.returncode == 0 else p.stderr.strip()[:200]

        want = peer("torch")
        if isinstance(want, str):
            return {"torch": {"error": want}}
        for name in ("ladon-f32", "ladon-int8", "ort", "ort-fused", "openvino", "openvino-bf16", "ort-int8", "ort-fused-int8"):
            got = ladon(name.removeprefix("ladon-")) if name.startswith("ladon") else peer(name)
            if isinstance(got, str):
                out[name] = {"error": got}
                continue
            a, b = got[seen].astype(np.float64), want[seen].astype(np.float64)
            cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            out[name] = {"max_abs": float(f"{np.abs(a - b).max():.3g}"), "min_cosine": round(float(cosine.min()), 6)}
    return out
