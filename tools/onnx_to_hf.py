#!/usr/bin/env python3
"""Write a transformer that torch exported to ONNX as a Hugging Face folder: config.json, model.safetensors and what goes with them.

    python tools/onnx_to_hf.py MODEL.onnx OUT [--tokenizer tokenizer.json] [--labels labels.json] [--texts FILE | --pictures DIR]

The export keeps the names of biases and norms but not those of most matrices ("onnx::MatMul_753"): such a matrix gets its
name from the bias that is added to its product, or from the name of the product's node. Matrices stored as int8 become
float32. What a config.json needs is read off shapes, epsilons and the graph. Known are DistilBERT and DINOv2.

With --texts or --pictures, ONNX Runtime's answers go to OUT/check.safetensors: of the graph as it is and, where it rounds
activations to int8 ("exact"), of the same without. TestRealModels of package pipeline compares with them.
"""
import argparse
import json
import pathlib
import shutil

import numpy as np
import onnx
from onnx import helper, numpy_helper
from safetensors.numpy import save_file

IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])


class Graph:
    """An ONNX graph with the values that are known beforehand, and who makes and who takes a value."""

    def __init__(self, path):
        self.model = onnx.load(path)
        g = self.model.graph
        self.values = {t.name: numpy_helper.to_array(t) for t in g.initializer}
        self.maker = {o: n for n in g.node for o in n.output}
        self.takers = {}
        for n in g.node:
            for i in n.input:
                self.takers.setdefault(i, []).append(n)
        for n in g.node:
            self.fold(n)

    def fold(self, n):
        """Computes what depends on constants alone, as far as weights need it."""
        known = [self.values.get(i) for i in n.input]
        attributes = {a.name: helper.get_attribute_value(a) for a in n.attribute}
        if n.op_type == "Constant" and "value" in attributes:
            self.values[n.output[0]] = numpy_helper.to_array(attributes["value"])
        elif not known or any(v is None for v in known):
            return
        elif n.op_type == "DequantizeLinear":
            if known[1].size != 1:
                raise SystemExit(f"{n.name}: weights with a scale for each row are not supported")
            zero = known[2] if len(known) > 2 else 0
            self.values[n.output[0]] = ((known[0].astype(np.int32) - zero) * known[1]).astype(np.float32)
        elif n.op_type == "Transpose":
            self.values[n.output[0]] = known[0].transpose(attributes.get("perm"))
        elif n.op_type == "Identity":
            self.values[n.output[0]] = known[0]

    def next(self, value):
        """The one node that takes a value, past the rounding of activations."""
        takers = self.takers.get(value, [])
        while len(takers) == 1 and takers[0].op_type in ("QuantizeLinear", "DequantizeLinear"):
            takers = self.takers.get(takers[0].output[0], [])
        return takers[0] if len(takers) == 1 else None


def named(name):
    return "." in name and "::" not in name and "/" not in name


def weights(g):
    """All tensors under the names of the torch module, matrices as [out, in]."""
    found = {name: v for name, v in g.values.items() if named(name) and not name.endswith(("_quantized", "_scale", "_zero_point"))}
    for n in g.model.graph.node:
        if n.op_type == "DequantizeLinear" and n.output[0] in g.values and n.input[0].endswith("_quantized"):
            name = n.input[0].removesuffix("_quantized")
            if named(name):
                found[name] = g.values[n.output[0]]
        if n.op_type not in ("MatMul", "Gemm") or n.input[1] not in g.values:
            continue
        w = g.values[n.input[1]]
        transposed = n.op_type == "Gemm" and any(a.name == "transB" and a.i for a in n.attribute)
        bias = n.input[2] if len(n.input) > 2 else ""
        add = g.next(n.output[0])
        if not bias and add is not None and add.op_type == "Add":
            bias = next((i for i in add.input if i in g.values and named(i) and i.endswith(".bias")), "")
        name = bias.removesuffix(".bias") if bias else n.name.strip("/").rsplit("/", 1)[0].replace("/", ".")
        found.setdefault(name + ".weight", w if transposed else w.T)
    return {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in found.items()}


def heads(g, hidden):
    """How many heads there are: the first reshape to [..., heads, width], one of which may be -1."""
    for n in g.model.graph.node:
        if n.op_type == "Reshape" and "attention" in n.name and n.input[1] in g.maker:
            parts = [g.values.get(i) for i in g.maker[n.input[1]].input]
            tail = [int(v.item()) for v in parts[-2:] if v is not None and v.size == 1]
            if len(tail) == 2 and tail[1] > 0 and tail[0] in (-1, hidden // tail[1]):
                return hidden // tail[1]
    raise SystemExit("no reshape to heads in the graph")


def epsilon(g, norm):
    """That of the norm whose node's name contains norm, be it one node or spelled out."""
    for n in g.model.graph.node:
        if n.op_type == "LayerNormalization" and norm in n.name:
            return float(f"{next(a.f for a in n.attribute if a.name == 'epsilon'):.6g}")
        if n.op_type == "Add" and norm in n.name:
            small = [g.values[i] for i in n.input if i in g.values and g.values[i].size == 1]
            if small:
                return float(f"{float(small[0].item()):.6g}")
    raise SystemExit(f"no epsilon of {norm}")


def activation(g):
    ops = {n.op_type for n in g.model.graph.node}
    for op, name in (("Erf", "gelu"), ("Tanh", "gelu_new"), ("Relu", "relu")):
        if op in ops:
            return name
    raise SystemExit("no activation known")


def layers(w, prefix):
    return 1 + max(int(k[len(prefix):].split(".")[0]) for k in w if k.startswith(prefix))


def distilbert(g, w, labels):
    vocab, dim = w["distilbert.embeddings.word_embeddings.weight"].shape
    if "classifier.weight" not in w:
        raise SystemExit("only the token classifier of DistilBERT is known")
    n = w["classifier.weight"].shape[0]
    labels = labels or [f"LABEL_{i}" for i in range(n)]
    if len(labels) != n:
        raise SystemExit(f"{len(labels)} labels for a classifier of {n}")
    return w, dict(
        model_type="distilbert", architectures=["DistilBertForTokenClassification"], vocab_size=vocab, dim=dim, n_heads=heads(g, dim),
        n_layers=layers(w, "distilbert.transformer.layer."), hidden_dim=w["distilbert.transformer.layer.0.ffn.lin1.weight"].shape[0],
        max_position_embeddings=w["distilbert.embeddings.position_embeddings.weight"].shape[0], activation=activation(g), sinusoidal_pos_embds=False, pad_token_id=0,
        id2label=dict(enumerate(labels)), label2id={v: i for i, v in enumerate(labels)})


def dinov2(g, w, _labels):
    base = {k.removeprefix("backbone."): v for k, v in w.items() if k.startswith("backbone.")}
    dropped = sorted({k.split(".")[0] for k in w if not k.startswith("backbone.")})
    if dropped:
        print("not part of the encoder and left out:", ", ".join(dropped))
    hidden, channels, patch, _ = base["embeddings.patch_embeddings.projection.weight"].shape
    # The positions of the class token and of the patches, which the graph resizes, are constants without a name.
    grid = next(g.values[n.input[0]] for n in g.model.graph.node if n.op_type == "Reshape" and n.input[0] in g.values and "embeddings" in n.name)
    first = next(g.values[n.input[0]] for n in g.model.graph.node
                 if n.op_type == "Concat" and n.input[0] in g.values and g.values[n.input[0]].shape == (1, 1, hidden))
    base["embeddings.position_embeddings"] = np.concatenate([first, grid], axis=1).astype(np.float32)
    side = round(grid.shape[1] ** 0.5)
    return base, dict(
        model_type="dinov2", architectures=["Dinov2Model"], hidden_size=hidden, num_hidden_layers=layers(base, "encoder.layer."), num_attention_heads=heads(g, hidden),
        mlp_ratio=base["encoder.layer.0.mlp.fc1.weight"].shape[0] // hidden, hidden_act=activation(g), layer_norm_eps=epsilon(g, "layer.0/norm1"),
        image_size=side * patch, patch_size=patch, num_channels=channels, qkv_bias=True, use_swiglu_ffn=False)


KNOWN = {"distilbert.": distilbert, "backbone.embeddings.patch_embeddings.": dinov2}


def unrounded(model):
    """The graph without the rounding of activations."""
    m = onnx.ModelProto()
    m.CopyFrom(model)
    g = m.graph
    stored = {t.name for t in g.initializer}
    maker = {o: n for n in g.node for o in n.output}
    same = {}
    for n in g.node:
        if n.op_type == "DequantizeLinear" and n.input[0] not in stored and maker[n.input[0]].op_type == "QuantizeLinear":
            same[n.output[0]] = maker[n.input[0]].input[0]
    for n in g.node:
        for i, name in enumerate(n.input):
            while name in same:
                name = same[name]
            n.input[i] = name
    for o in g.output:
        if o.name in same:
            g.node.append(helper.make_node("Identity", [same[o.name]], [o.name + "_exact"]))
            o.name += "_exact"
    return m


def session(model):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def check_texts(g, out, tokenizer, texts):
    from tokenizers import Tokenizer
    t = Tokenizer.from_file(str(tokenizer))
    given, exact = session(g.model), session(unrounded(g.model))
    tensors = {}
    for i, text in enumerate(texts):
        ids = np.array([t.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        tensors |= {f"{i}.input_ids": ids, f"{i}.logits": given.run(None, feed)[0], f"{i}.exact": exact.run(None, feed)[0]}
    save_file(tensors, out / "check.safetensors")
    (out / "check.json").write_text(json.dumps(texts, ensure_ascii=False, indent=1) + "\n")


def check_pictures(g, out, folder):
    from transformers.image_utils import load_image
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    last = next(n.output[0] for n in reversed(g.model.graph.node) if "/backbone/layernorm/" in n.name)
    m = onnx.ModelProto()
    m.CopyFrom(g.model)
    m.graph.output.append(helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    run, processor = session(m), BitImageProcessorPil.from_pretrained(out)
    tensors = {}
    shutil.rmtree(out / "check", ignore_errors=True)
    (out / "check").mkdir()
    for f in sorted(pathlib.Path(folder).iterdir()):
        if f.suffix not in (".png", ".jpg", ".jpeg", ".webp"):
            continue
        pixels = processor(images=[load_image(str(f))], return_tensors="np")["pixel_values"].astype(np.float32)
        shutil.copy(f, out / "check" / f.name)
        tensors |= {f"{f.name}.pixel_values": pixels, f"{f.name}.last_hidden_state": run.run([last], {g.model.graph.input[0].name: pixels})[0]}
    save_file(tensors, out / "check.safetensors")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--tokenizer", help="tokenizer.json to put beside it")
    p.add_argument("--labels", help="a JSON list of a classifier's labels, or an object with one as \"tags\"")
    p.add_argument("--texts", help="lines to record ONNX Runtime's answers to")
    p.add_argument("--pictures", help="a folder of pictures to record them for")
    a = p.parse_args()
    g = Graph(a.model)
    w = weights(g)
    family = next((f for prefix, f in KNOWN.items() if any(k.startswith(prefix) for k in w)), None)
    if family is None:
        raise SystemExit(f"{a.model}: none of the known architectures")
    labels = json.loads(pathlib.Path(a.labels).read_text()) if a.labels else None
    w, config = family(g, w, labels["tags"] if isinstance(labels, dict) else labels)
    a.out.mkdir(parents=True, exist_ok=True)
    save_file(w, a.out / "model.safetensors", metadata={"format": "pt"})
    (a.out / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n")
    if a.tokenizer:
        shutil.copy(a.tokenizer, a.out / "tokenizer.json")
    if config["model_type"] == "dinov2":
        size = [d.dim_value for d in g.model.graph.input[0].type.tensor_type.shape.dim][2:]
        (a.out / "preprocessor_config.json").write_text(json.dumps(dict(
            image_processor_type="BitImageProcessor", do_convert_rgb=True, do_resize=True, size={"shortest_edge": max(size) * 8 // 7}, resample=3, do_center_crop=True,
            crop_size={"height": size[0], "width": size[1]}, do_rescale=True, rescale_factor=1 / 255, do_normalize=True, **IMAGENET), indent=1) + "\n")
    print(len(w), "tensors,", sum(v.size for v in w.values()), "parameters")
    if a.texts:
        check_texts(g, a.out, a.tokenizer, [t for t in pathlib.Path(a.texts).read_text().split("\n") if t][:100])
    if a.pictures:
        check_pictures(g, a.out, a.pictures)


if __name__ == "__main__":
    main()
