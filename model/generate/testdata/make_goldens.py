#!/usr/bin/env python3
"""Make processors.json and searches.json: what transformers' logits processors and its generate give.

Run from the repository root, in an environment with the packages of model/testdata/requirements.txt:

    python model/generate/testdata/make_goldens.py

The model of searches.json is a table: the logits after a sequence are a[last] + b[the one before] + c[length mod 7], in
float32 and in this order, so that the Go test has the same to the bit. Seeds are fixed.
"""
import json
import pathlib
import random

import torch
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.generation import logits_process as lp
from transformers.modeling_outputs import CausalLMOutputWithPast

HERE = pathlib.Path(__file__).parent
VOCAB = 23


def numbers(t):
    """Float32 as JSON; -Infinity as null."""
    return [None if x == float("-inf") else x for x in t.tolist()]


def processors():
    gen, rng = torch.Generator().manual_seed(5), random.Random(5)
    cases = []

    def case(name, config, make, sample=False, source=None):
        for _ in range(3):
            n = rng.choice([1, 2, 7, 12])
            prompt = rng.randint(1, n)
            # Few different tokens, so that runs repeat.
            ids = [rng.randrange(5) for _ in range(n)]
            logits = 3 * torch.randn(VOCAB, generator=gen)
            scores = logits[None].clone()
            for p in make(prompt, n):
                scores = p(torch.tensor([ids]), scores)
            cases.append(dict(name=name, config=config, prompt=prompt, ids=ids, logits=numbers(logits),
                              scores=numbers(scores[0]), sample=sample, **({"source": source} if source else {})))

    eos = [2, 9]
    case("repetition", {"repetition_penalty": 1.3}, lambda p, n: [lp.RepetitionPenaltyLogitsProcessor(1.3)])
    case("repetition below 1", {"repetition_penalty": 0.7}, lambda p, n: [lp.RepetitionPenaltyLogitsProcessor(0.7)])
    for size in (1, 2, 3):
        case(f"no repeated {size}-gram", {"no_repeat_ngram_size": size}, lambda p, n: [lp.NoRepeatNGramLogitsProcessor(size)])
    bias = {(3,): -2.5, (7,): 1.25, (11,): float("-inf")}
    case("logit bias", {"logit_bias": [[3, -2.5], [7, 1.25], [11, None]]}, lambda p, n: [lp.SequenceBiasLogitsProcessor(bias)])
    words = [[4], [1, 6], [0, 1, 8], [2]]
    case("bad words", {"bad_words_ids": words, "eos_token_id": eos}, lambda p, n: [lp.NoBadWordsLogitsProcessor(words, eos)])
    case("minimum length", {"min_length": 7, "eos_token_id": eos}, lambda p, n: [lp.MinLengthLogitsProcessor(7, eos)])
    case("minimum of new tokens", {"min_new_tokens": 3, "eos_token_id": eos},
         lambda p, n: [lp.MinNewTokensLengthLogitsProcessor(p, 3, eos)])
    case("forced first", {"forced_bos_token_id": 6}, lambda p, n: [lp.ForcedBOSTokenLogitsProcessor(6)])
    case("forced last", {"forced_eos_token_id": eos, "max_length": 8}, lambda p, n: [lp.ForcedEOSTokenLogitsProcessor(8, eos)])
    case("suppressed", {"suppress_tokens": [0, 22]}, lambda p, n: [lp.SuppressTokensLogitsProcessor([0, 22])])
    case("suppressed first", {"begin_suppress_tokens": [0, 5]}, lambda p, n: [lp.SuppressTokensAtBeginLogitsProcessor([0, 5], p)])

    def chosen(name, config, make):
        case(name, config, make, sample=True)

    chosen("temperature", {"temperature": 0.7}, lambda p, n: [lp.TemperatureLogitsWarper(0.7)])
    for k in (1, 4, 23, 50):
        chosen(f"top {k}", {"top_k": k}, lambda p, n: [lp.TopKLogitsWarper(k)])
    for x in (0.01, 0.5, 0.9, 0.999):
        chosen(f"top p {x}", {"top_p": x}, lambda p, n: [lp.TopPLogitsWarper(x)])
        chosen(f"min p {x}", {"min_p": x}, lambda p, n: [lp.MinPLogitsWarper(x)])
    chosen("everything", {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "temperature": 1.7, "top_k": 12, "top_p": 0.95, "min_p": 0.05},
           lambda p, n: [lp.RepetitionPenaltyLogitsProcessor(1.2), lp.NoRepeatNGramLogitsProcessor(2), lp.TemperatureLogitsWarper(1.7),
                         lp.TopKLogitsWarper(12), lp.TopPLogitsWarper(0.95), lp.MinPLogitsWarper(0.05)])
    source = [0, 3, 1, 4, 3, 2, 0, 3, 3, 22]
    ids = torch.tensor([source])
    for x in (1.5, 0.6):
        case(f"source's tokens {x}", {"encoder_repetition_penalty": x}, lambda p, n: [lp.EncoderRepetitionPenaltyLogitsProcessor(x, ids)], source=source)
    for size in (1, 2, 3):
        case(f"no {size}-gram of the source", {"encoder_no_repeat_ngram_size": size},
             lambda p, n: [lp.EncoderNoRepeatNGramLogitsProcessor(size, ids)], source=source)
    return cases


class Config(PretrainedConfig):
    model_type = "table"


class Table(PreTrainedModel, GenerationMixin):
    config_class = Config

    def __init__(self, config, a, b, c):
        super().__init__(config)
        self.a, self.b, self.c = (torch.nn.Parameter(x) for x in (a, b, c))

    def forward(self, input_ids, attention_mask=None, **kwargs):
        n = input_ids.shape[1]
        last = input_ids[:, -1]
        before = input_ids[:, -2] if n > 1 else torch.zeros_like(last)
        logits = self.a[last] + self.b[before] + self.c[n % 7]
        return CausalLMOutputWithPast(logits=logits[:, None])

    def prepare_inputs_for_generation(self, input_ids, **kwargs):
        return {"input_ids": input_ids}


def searches():
    gen, rng = torch.Generator().manual_seed(6), random.Random(6)
    table = [1.5 * torch.randn(VOCAB, VOCAB, generator=gen), 1.2 * torch.randn(VOCAB, VOCAB, generator=gen),
             0.8 * torch.randn(7, VOCAB, generator=gen)]
    table[0][:, 2] += 1  # sequences do end
    model = Table(Config(vocab_size=VOCAB), *table).eval()
    cases, later = [], random.Random(7)
    while len(cases) < 300:
        c = {"num_beams": rng.choice([1, 2, 3, 4, 5, 8])}
        beams = c["num_beams"] > 1
        if rng.random() < 0.5 and beams:
            c["length_penalty"] = rng.choice([0.0, 0.5, 2.0, -1.0])
        if rng.random() < 0.6 and beams:
            c["early_stopping"] = rng.choice([True, "never"])
        if rng.random() < 0.3:
            c["no_repeat_ngram_size"] = rng.choice([1, 2, 3])
        if rng.random() < 0.3:
            c["repetition_penalty"] = rng.choice([0.8, 1.4])
        if rng.random() < 0.2:
            c["forced_bos_token_id"] = rng.randrange(VOCAB)
        if rng.random() < 0.2:
            # Two that are forced are equally good, and beams then follow whichever torch.topk puts first.
            c["forced_eos_token_id"] = 2 if beams else [2, 9]
        if rng.random() < 0.2:
            c["min_new_tokens"] = rng.choice([2, 5])
        if rng.random() < 0.2:
            c["min_length"] = rng.choice([4, 9])
        if rng.random() < 0.2:
            c["suppress_tokens"] = rng.sample(range(10, VOCAB), 2)
        if rng.random() < 0.2:
            c["begin_suppress_tokens"] = rng.sample(range(10, VOCAB), 3)
        if rng.random() < 0.2:
            c["bad_words_ids"] = [[rng.randrange(10, VOCAB)], [rng.randrange(VOCAB), rng.randrange(10, VOCAB)]]
        if rng.random() < 0.8:
            c["eos_token_id"] = rng.choice([2, [2], [2, 9], [2, 9, 14]])
        if rng.random() < 0.7:
            c["max_new_tokens"] = rng.choice([1, 2, 5, 12, 20])
        else:
            c["max_length"] = rng.choice([9, 16])
        if len(cases) >= 240:  # a decoder's source is its prompt
            if later.random() < 0.5:
                c["encoder_no_repeat_ngram_size"] = later.choice([1, 2])
            if later.random() < 0.5:
                c["encoder_repetition_penalty"] = later.choice([0.5, 1.5])
            if beams and later.random() < 0.7:
                c["num_return_sequences"] = later.randint(1, c["num_beams"])
            if c.get("forced_bos_token_id") in c.get("suppress_tokens", []):
                continue
        rows = rng.choice([1, 1, 3])
        ids = torch.tensor([[rng.randrange(3, VOCAB) for _ in range(rng.choice([1, 2, 5]))] for _ in range(1)])
        ids = torch.cat([ids] + [torch.randint(3, VOCAB, ids.shape, generator=gen) for _ in range(rows - 1)])
        config = GenerationConfig(do_sample=False, use_cache=False, pad_token_id=1, **c)
        out = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config,
                             return_dict_in_generate=True, output_scores=True)
        case = {"config": c, "ids": ids.tolist(), "sequences": out.sequences.tolist()}
        if beams:
            case["scores"] = out.sequences_scores.tolist()
        cases.append(case)
    a, b, c = (numbers(x.reshape(-1)) for x in table)
    return {"a": a, "b": b, "c": c, "pad": 1, "cases": cases}


def write(name, what):
    (HERE / name).write_text(json.dumps(what, separators=(",", ":")) + "\n")


with torch.no_grad():
    write("processors.json", processors())
    write("searches.json", searches())
