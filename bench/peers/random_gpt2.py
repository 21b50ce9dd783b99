#!/usr/bin/env python3
"""random_gpt2.py DIR: GPT-2 small's shapes with random weights."""
import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
GPT2LMHeadModel(GPT2Config()).save_pretrained(sys.argv[1])
