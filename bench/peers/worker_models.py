"""The work of a whole model with random weights (random_models.py), for worker.py."""
import os

import numpy as np

RNG = np.random.default_rng(5)
LOADED = {}


def path(w):
    return os.path.join(os.environ["RANDOM_MODELS"], w["model"])


def loaded(w, t):
    """The model, as the class that its config.json names."""
    if w["model"] not in LOADED:
        import transformers

        config = transformers.AutoConfig.from_pretrained(path(w))
        cls = getattr(transformers, config.architectures[0])
        attention = {} if config.model_type in ("xlnet", "t5") else {"attn_implementation": "sdpa"}  # these two have none
        LOADED[w["model"]] = cls.from_pretrained(path(w), **attention).eval()
    return LOADED[w["model"]]


def ids(rows, length, high=30000):
    return RNG.integers(1000, high, (rows, length))


def pixels(w):
    return RNG.standard_normal((w["images"], 3, 224, 224), dtype=np.float32)


def encode(peer, w, t, threads):
    """One forward pass over texts, pictures or both."""
    if peer == "torch":
        model, feed = loaded(w, t), {}
        if "texts" in w:
            feed["input_ids"] = t.from_numpy(ids(w["texts"], w["seq"]))
        if "images" in w:
            feed["pixel_values"] = t.from_numpy(pixels(w))
        return lambda: model(**feed)
    feed = {"pixel_values": pixels(w)}
    if peer == "ort":
        import onnxruntime

        opts = onnxruntime.SessionOptions()
        opts.intra_op_num_threads, opts.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(path(w) + "/model.onnx", opts, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, feed)
    import openvino

    request = openvino.Core().compile_model(path(w) + "/model.onnx", "CPU", {
        "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}).create_infer_request()
    return lambda: request.infer(feed, share_inputs=True, share_outputs=True)


def picture(peer, w, t, threads):
    """A photograph, decoded and resized."""
    import io

    from PIL import Image

    with open(path(w) + "/photograph.jpg", "rb") as f:
        data = f.read()
    return lambda: np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((w["edge"], w["edge"]), Image.BILINEAR), dtype=np.float32)


def translate(peer, w, t, threads):
    """A source of w["seq"] tokens, and w["new"] tokens out of it, no fewer and no more."""
    source = ids(1, w["seq"])
    if peer == "torch":
        model = loaded(w, t)
        feed = t.from_numpy(source)
        how = dict(num_beams=w.get("beams", 1), do_sample=False, min_new_tokens=w["new"], max_new_tokens=w["new"])
        return lambda: model.generate(feed, **how)
    import ctranslate2

    kind = "int8" if peer.endswith("int8") else "float32"
    translator = ctranslate2.Translator(path(w) + "/ct2", device="cpu", compute_type=kind, inter_threads=1, intra_threads=threads)
    tokens = [[f"w{i}" for i in row] for row in source]
    return lambda: translator.translate_batch(tokens, beam_size=w.get("beams", 1), min_decoding_length=w["new"], max_decoding_length=w["new"])
