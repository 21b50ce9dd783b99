"""torch.nn.Transformer between embeddings and a generator, as a model that transformers' generate can drive."""
import torch
from torch import nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput


class TransformerConfig(PretrainedConfig):
    model_type = "transformer"
    attribute_map = {"hidden_size": "d_model", "num_attention_heads": "nhead", "num_hidden_layers": "num_encoder_layers"}

    def __init__(self, d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, activation="relu", layer_norm_eps=1e-5,
                 norm_first=False, bias=True, scale_embedding=False, vocab_size=61, tgt_vocab_size=None, positional_encoding="sinusoidal",
                 pad_token_id=0, eos_token_id=2, decoder_start_token_id=1, with_generator=True, **kwargs):
        self.d_model, self.nhead, self.dim_feedforward, self.activation = d_model, nhead, dim_feedforward, activation
        self.num_encoder_layers, self.num_decoder_layers = num_encoder_layers, num_decoder_layers
        self.layer_norm_eps, self.norm_first, self.bias, self.scale_embedding = layer_norm_eps, norm_first, bias, scale_embedding
        self.vocab_size, self.tgt_vocab_size, self.positional_encoding = vocab_size, tgt_vocab_size or vocab_size, positional_encoding
        self.pad_token_id, self.decoder_start_token_id, self.eos_token_id, self.with_generator = pad_token_id, decoder_start_token_id, eos_token_id, with_generator
        super().__init__(**kwargs | dict(is_encoder_decoder=True))


class Encoder(nn.TransformerEncoder):
    """What generate asks of an encoder."""
    main_input_name = "input_ids"


class Reader:
    """The encoder with its embeddings in front, as generate calls it."""

    def __init__(self, model):
        self.model = model

    def forward(self, input_ids, attention_mask=None, **_):
        return self.model.encode(input_ids, attention_mask)

    __call__ = forward


class Transformer(PreTrainedModel, GenerationMixin):
    config_class = TransformerConfig
    main_input_name = "input_ids"
    _keys_to_ignore_on_save = ["waves"]
    _keys_to_ignore_on_load_missing = ["waves"]

    def __init__(self, config):
        super().__init__(config)
        c, kind = config, dict(batch_first=True, dropout=0.0)
        layer = dict(d_model=c.d_model, nhead=c.nhead, dim_feedforward=c.dim_feedforward, activation=c.activation, layer_norm_eps=c.layer_norm_eps,
                     norm_first=c.norm_first, bias=c.bias, **kind)
        def norm():
            return nn.LayerNorm(c.d_model, eps=c.layer_norm_eps, bias=c.bias)
        self.encoder = Encoder(nn.TransformerEncoderLayer(**layer), c.num_encoder_layers, norm(), enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**layer), c.num_decoder_layers, norm())
        self.src_embed, self.tgt_embed = nn.Embedding(c.vocab_size, c.d_model), nn.Embedding(c.tgt_vocab_size, c.d_model)
        if c.with_generator:
            self.generator = nn.Linear(c.d_model, c.tgt_vocab_size)
        self.waves = nn.Parameter(torch.empty(140, c.d_model), requires_grad=False)  # so that its channels can be renamed
        self.post_init()
        self._init_weights(self)

    def _init_weights(self, module):
        if module is self:
            d = self.config.d_model
            angle = torch.arange(140, dtype=torch.float64)[:, None] / 10000 ** (torch.arange(0, d, 2, dtype=torch.float64) / d)
            waves = torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :d].float()
            with torch.no_grad():
                self.waves.copy_(waves)

    def embed(self, table, ids):
        x = table(ids) * (self.config.d_model ** 0.5 if self.config.scale_embedding else 1.0)
        return x + self.waves[:ids.shape[1]]

    def encode(self, ids, mask):
        hidden = None if mask is None else mask == 0
        states = [self.embed(self.src_embed, ids)]
        for layer in self.encoder.layers:
            layer.train(states[0].dtype == torch.float64)  # no fast path, which skips what is hidden
            states.append(layer(states[-1], src_key_padding_mask=hidden))
        return BaseModelOutput(last_hidden_state=self.encoder.norm(states[-1]), hidden_states=states[:-1] + [self.encoder.norm(states[-1])])

    def get_encoder(self):
        return Reader(self)

    def forward(self, input_ids=None, attention_mask=None, decoder_input_ids=None, decoder_attention_mask=None, encoder_outputs=None, **_):
        read = encoder_outputs or self.encode(input_ids, attention_mask)
        n = decoder_input_ids.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool).triu(1)
        states = [self.embed(self.tgt_embed, decoder_input_ids)]
        for layer in self.decoder.layers:
            states.append(layer(states[-1], read.last_hidden_state, tgt_mask=causal,
                                tgt_key_padding_mask=None if decoder_attention_mask is None else decoder_attention_mask == 0,
                                memory_key_padding_mask=None if attention_mask is None else attention_mask == 0))
        states[-1] = self.decoder.norm(states[-1])
        return Seq2SeqLMOutput(logits=self.generator(states[-1]) if self.config.with_generator else None, decoder_hidden_states=states,
                               encoder_last_hidden_state=read.last_hidden_state, encoder_hidden_states=read.hidden_states)

    def prepare_inputs_for_generation(self, ids, attention_mask=None, encoder_outputs=None, **_):
        return dict(decoder_input_ids=ids, attention_mask=attention_mask, encoder_outputs=encoder_outputs)
