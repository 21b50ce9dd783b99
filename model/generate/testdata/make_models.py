#!/usr/bin/env python3
"""Make the folders llama and gpt2, and llama.gguf: tiny language models, trained a little, and what transformers' generate gives with them.

Run from the repository root, in an environment with the packages of model/testdata/requirements.txt:

    python model/generate/testdata/make_models.py [llama] [gpt2] [gguf]

Untrained models repeat one token, so these have learned the 1,000 sentences of pipeline/testdata/sentences.txt for a
minute. llama has a byte-level BPE tokenizer of its own, which adds <s>; gpt2 takes the same ids. Each folder is as
save_pretrained writes it, in bfloat16, and golden.json has its generations, computed in float32 with those weights. Only
cases that float64 decides in the same way are kept. Training is deterministic for one version of torch on one machine.
"""
import json
import pathlib
import random
import sys

import gguf
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, GenerationConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent
SENTENCES = (HERE / "../../../pipeline/testdata/sentences.txt").read_text().splitlines()
BOS, EOS, PAD = 0, 1, 2


def tokenizer():
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", "</s>", "<pad>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tok.train_from_iterator(SENTENCES, trainer)
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", BOS)])
    return tok


def train(model, rows):
    torch.manual_seed(1)
    opt = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    steps = 500
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, 6e-3, total_steps=steps)
    rng = random.Random(1)
    rows = [r[: getattr(model.config, "n_positions", None)] for r in rows]  # learned positions end somewhere
    model.train()
    for step in range(steps):
        batch = rng.sample(rows, 48)
        width = max(map(len, batch))
        ids = torch.tensor([r + [PAD] * (width - len(r)) for r in batch])
        labels = ids.masked_fill(ids == PAD, -100)
        loss = model(input_ids=ids, attention_mask=(ids != PAD).long(), labels=labels).loss
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    print(type(model).__name__, "loss", loss.item(), "parameters", model.num_parameters())
    model.eval()


def generate(model, ids, mask, config):
    config = GenerationConfig(do_sample=False, pad_token_id=PAD, bos_token_id=BOS, **{"eos_token_id": EOS, **config})
    return model.generate(torch.tensor(ids), attention_mask=torch.tensor(mask), generation_config=config).tolist()


def goldens(model, tok):
    wide = AutoModelForCausalLM.from_pretrained(model.name_or_path, dtype=torch.float64)
    rng = random.Random(3)
    cases = []
    for n in range(60):
        beams = rng.choice([1, 1, 2, 4])
        config = {"num_beams": beams, "max_new_tokens": rng.choice([8, 24])}
        if beams > 1:
            config |= rng.choice([{}, {"early_stopping": True}, {"early_stopping": "never"}])
            config |= rng.choice([{}, {"length_penalty": 2.0}, {"length_penalty": -0.5}])
        config |= rng.choice([{}, {}, {"no_repeat_ngram_size": 2}, {"repetition_penalty": 1.3}, {"min_new_tokens": 12},
                              {"forced_eos_token_id": EOS}, {"suppress_tokens": [EOS]}, {"eos_token_id": [EOS, 14]}])
        prompts = []
        for _ in range(rng.choice([1, 3])):
            ids = tok.encode(rng.choice(SENTENCES)).ids
            prompts.append(ids[: rng.randint(1, 6)])
        width = max(map(len, prompts))
        ids = [[PAD] * (width - len(p)) + p for p in prompts]
        mask = [[0] * (width - len(p)) + [1] * len(p) for p in prompts]
        got = generate(model, ids, mask, config)
        if got == generate(wide, ids, mask, config):
            cases.append({"config": config, "ids": ids, "mask": mask, "sequences": got})
    print(len(cases), "cases")
    return cases


def texts(model, tok):
    """What follows a text, as text."""
    cases = []
    for prompt, config in [("The ", {}), ("", {}), ("I do not", {"max_new_tokens": 40}), ("She said", {"num_beams": 3}),
                           ("Où est", {"repetition_penalty": 1.5, "max_new_tokens": 30}), ("It was a", {"suppress_tokens": [EOS]})]:
        ids = tok.encode(prompt).ids
        out = generate(model, [ids], [[1] * len(ids)], {"max_new_tokens": 16, **config})[0]
        new = out[len(ids):]
        cases.append({"prompt": prompt, "config": config, "ids": out, "text": tok.decode(out)[len(prompt):],
                      "finish": "eos" if new[-1] == EOS else "length"})
        assert tok.decode(out).startswith(prompt)
    return cases


def make(name, cls, config, tok):
    folder = HERE / name
    rows = [tok.encode(s).ids + [EOS] for s in SENTENCES]
    torch.manual_seed(0)
    model = cls(config)
    train(model, rows)
    model.save_pretrained(folder)
    weights = folder / "model.safetensors"
    save_file({k: v.to(torch.bfloat16) for k, v in load_file(weights).items()}, weights, metadata={"format": "pt"})
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    golden = {"cases": goldens(model, tok)}
    if name == "llama":
        tok.save(str(folder / "tokenizer.json"))
        golden["texts"] = texts(model, tok)
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":"), ensure_ascii=False) + "\n")


def make_gguf():
    """The llama folder once more, as llama.cpp's converter would write it."""
    folder = HERE / "llama"
    config = json.loads((folder / "config.json").read_text())
    tok = json.loads((folder / "tokenizer.json").read_text())["model"]
    w = gguf.GGUFWriter(HERE / "llama.gguf", "llama")
    w.add_context_length(config["max_position_embeddings"])
    w.add_embedding_length(config["hidden_size"])
    w.add_block_count(config["num_hidden_layers"])
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(config["num_attention_heads"])
    w.add_head_count_kv(config["num_key_value_heads"])
    w.add_layer_norm_rms_eps(config["rms_norm_eps"])
    w.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    w.add_rope_dimension_count(config["head_dim"])
    w.add_vocab_size(config["vocab_size"])
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    tokens = sorted(tok["vocab"], key=tok["vocab"].get)
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.CONTROL if i <= PAD else gguf.TokenType.NORMAL for i in range(len(tokens))])
    w.add_token_merges([" ".join(m) for m in tok["merges"]])
    w.add_bos_token_id(BOS)
    w.add_eos_token_id(EOS)
    w.add_pad_token_id(PAD)
    w.add_add_bos_token(True)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, t in load_file(folder / "model.safetensors").items():
        for kind, heads in (("q_proj", config["num_attention_heads"]), ("k_proj", config["num_key_value_heads"])):
            if kind in name:  # pairs of rotary dimensions side by side
                t = t.reshape(heads, 2, -1, t.shape[1]).swapaxes(1, 2).reshape(t.shape)
        new = names.get_name(name, try_suffixes=(".weight",))
        if t.dim() == 1:
            w.add_tensor(new, t.float().numpy())
        else:
            raw = t.contiguous().view(torch.int16).numpy().view("uint8")
            w.add_tensor(new, raw, raw_shape=raw.shape, raw_dtype=gguf.GGMLQuantizationType.BF16)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    torch.set_num_threads(2)
    tok = tokenizer()
    vocab = tok.get_vocab_size()
    ends = dict(bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD)
    wanted = sys.argv[1:] or ["llama", "gpt2", "gguf"]
    if "llama" in wanted:
        make("llama", LlamaForCausalLM,
             LlamaConfig(vocab_size=vocab, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=96, tie_word_embeddings=True, **ends), tok)
    if "gpt2" in wanted:
        make("gpt2", GPT2LMHeadModel,
             GPT2Config(vocab_size=vocab, n_embd=40, n_layer=2, n_head=4, n_positions=96, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
                        **ends), tok)
    if "gguf" in wanted:
        make_gguf()


main()
