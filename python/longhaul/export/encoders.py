"""Sequence encoders of transformers' as modules that TorchScript compiles well: T5's encoder, and
BERT with its kin (RoBERTa, ELECTRA)."""

from typing import Final, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import nn

from longhaul.export import shared as export

# transformers' names of what is the same function.
ACTIVATIONS = {"gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh",
               "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu",
               "silu": "silu", "swish": "silu"}


class Activation(nn.Module):
    kind: Final[str]

    def __init__(self, name):
        super().__init__()
        if name not in ACTIVATIONS:
            raise export.ExportError(f"config: the activation {name} is not known here")
        self.kind = ACTIVATIONS[name]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "gelu":
            return F.gelu(x)
        if self.kind == "gelu_tanh":
            return F.gelu(x, approximate="tanh")
        if self.kind == "relu":
            return F.relu(x)
        return F.silu(x)


class BertEmbeddings(nn.Module):
    """Words and positions. The one token type is part of every word."""

    def __init__(self, embeddings, first_position, projection):
        super().__init__()
        types = embeddings.token_type_embeddings.weight
        words = embeddings.word_embeddings.weight + types[0]
        self.words = nn.Embedding(*words.shape, _weight=words.detach())
        self.words.weight.requires_grad_(False)
        self.positions = nn.Embedding(*embeddings.position_embeddings.weight.shape)
        export.take(self.positions, embeddings.position_embeddings)
        self.first_position = first_position
        self.norm = nn.LayerNorm(words.size(1), eps=embeddings.LayerNorm.eps)
        export.take(self.norm, embeddings.LayerNorm)
        self.projection = None
        if projection is not None:
            self.projection = nn.Linear(projection.in_features, projection.out_features)
            export.take(self.projection, projection)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        first = self.first_position
        x = self.norm(self.words(tokens) + self.positions.weight[first:first + tokens.size(1)])
        if self.projection is not None:
            x = self.projection(x)
        return x


class PaddingBias(nn.Module):
    """What attention adds to its scores: nothing but the padding."""

    def forward(self, mask: Optional[torch.Tensor], x: torch.Tensor) -> Optional[torch.Tensor]:
        return export.padding_bias(mask, x)


class BertLayer(nn.Module):
    kept: Final[bool]  # among the outputs

    def __init__(self, layer, config, kept):
        super().__init__()
        self.kept = kept
        width, eps = config.hidden_size, config.layer_norm_eps
        self.attention = export.Attention(width, config.num_attention_heads)
        for name in ("query", "key", "value"):
            export.take(getattr(self.attention, name), getattr(layer.attention.self, name))
        export.take(self.attention.out, layer.attention.output.dense)
        self.attention_norm = nn.LayerNorm(width, eps=eps)
        export.take(self.attention_norm, layer.attention.output.LayerNorm)
        self.enter = nn.Linear(width, config.intermediate_size)
        export.take(self.enter, layer.intermediate.dense)
        self.activation = Activation(config.hidden_act)
        self.leave = nn.Linear(config.intermediate_size, width)
        export.take(self.leave, layer.output.dense)
        self.norm = nn.LayerNorm(width, eps=eps)
        export.take(self.norm, layer.output.LayerNorm)

    def forward(self, x: torch.Tensor, bias: Optional[torch.Tensor]) -> torch.Tensor:
        x = self.attention_norm(self.attention(x, bias, None) + x)
        return self.norm(self.leave(self.activation(self.enter(x))) + x)


class RootMeanSquareNorm(nn.Module):
    """T5's norm: no mean is subtracted, nothing added. The operator sums in float32 at any type."""

    eps: Final[float]

    def __init__(self, source):
        super().__init__()
        self.eps = source.variance_epsilon
        self.weight = nn.Parameter(source.weight.detach(), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.rms_norm(x, [x.size(-1)], self.weight, self.eps)


# What T5's attention adds to its scores: all of it for each head, query and key, of a length for
# which that is little; else what belongs to each distance; and the padding.
Scores = Tuple[Optional[torch.Tensor], torch.Tensor, Optional[torch.Tensor]]


def scores_of(by_distance: torch.Tensor, length: int, first: int, last: int,
              padding: Optional[torch.Tensor]) -> torch.Tensor:
    """What queries [first, last) add, [rows or 1, heads, queries, length]."""
    # Query i has the window of keys that begins at distance -i.
    windows = by_distance[:, length - last:2 * length - 1 - first].unfold(1, length, 1)
    bias = windows.flip(1).unsqueeze(0)
    return bias if padding is None else bias + padding


class RelativeBias(nn.Module):
    """T5's bias by the distance of key and query, and the padding.

    T5 puts distances into buckets, all beyond the greatest into one: a table of the distances up to
    that one serves any length.
    """

    def __init__(self, attention):
        super().__init__()
        self.reach = attention.relative_attention_max_distance
        distances = torch.arange(-self.reach, self.reach + 1)
        buckets = attention._relative_position_bucket(
            distances, num_buckets=attention.relative_attention_num_buckets,
            max_distance=self.reach)
        table = attention.relative_attention_bias.weight[buckets].T
        self.table = nn.Parameter(table.detach().contiguous(), requires_grad=False)

    def forward(self, mask: Optional[torch.Tensor], x: torch.Tensor) -> Scores:
        length = x.size(1)
        distances = torch.arange(1 - length, length, device=x.device)
        entries = distances.clamp(-self.reach, self.reach) + self.reach
        by_distance = self.table.index_select(1, entries)
        padding = export.padding_bias(mask, x)
        whole: Optional[torch.Tensor] = None
        if length <= 512:
            whole = scores_of(by_distance, length, 0, length, padding)
        return whole, by_distance, padding


class T5Attention(nn.Module):
    def __init__(self, source):
        super().__init__()
        self.heads = source.n_heads
        self.query = nn.Linear(source.d_model, source.inner_dim, bias=False)
        self.key = nn.Linear(source.d_model, source.inner_dim, bias=False)
        self.value = nn.Linear(source.d_model, source.inner_dim, bias=False)
        self.out = nn.Linear(source.inner_dim, source.d_model, bias=False)
        for ours, theirs in ((self.query, source.q), (self.key, source.k),
                             (self.value, source.v), (self.out, source.o)):
            export.take(ours, theirs)

    def forward(self, x: torch.Tensor, scores: Scores) -> torch.Tensor:
        shape = [x.size(0), x.size(1), self.heads, -1]
        query = self.query(x).view(shape).transpose(1, 2)
        key = self.key(x).view(shape).transpose(1, 2)
        value = self.value(x).view(shape).transpose(1, 2)
        whole, by_distance, padding = scores
        # T5 does not divide by the root of the width: its weights have it.
        if whole is not None:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=whole, scale=1.0)
        else:
            # A few queries at a time: for all of a long sequence the scores alone are gigabytes.
            length = x.size(1)
            parts: List[torch.Tensor] = []
            for first in range(0, length, 256):
                last = min(first + 256, length)
                bias = scores_of(by_distance, length, first, last, padding)
                parts.append(F.scaled_dot_product_attention(query[:, :, first:last], key, value,
                                                            attn_mask=bias, scale=1.0))
            mixed = torch.cat(parts, dim=2)
        return self.out(mixed.transpose(1, 2).flatten(2))


class T5FeedForward(nn.Module):
    def __init__(self, source, config):
        super().__init__()
        width, inner = config.d_model, config.d_ff
        self.activation = Activation(config.dense_act_fn)
        self.enter = nn.Linear(width, inner, bias=False)
        export.take(self.enter, source.wi_0 if config.is_gated_act else source.wi)
        self.gate = None
        if config.is_gated_act:
            self.gate = nn.Linear(width, inner, bias=False)
            export.take(self.gate, source.wi_1)
        self.leave = nn.Linear(inner, width, bias=False)
        export.take(self.leave, source.wo)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = self.activation(self.enter(x))
        if self.gate is not None:
            inside = inside * self.gate(x)
        return self.leave(inside)


class T5Layer(nn.Module):
    kept: Final[bool]  # among the outputs

    def __init__(self, block, config, kept):
        super().__init__()
        self.kept = kept
        self.attention_norm = RootMeanSquareNorm(block.layer[0].layer_norm)
        self.attention = T5Attention(block.layer[0].SelfAttention)
        self.norm = RootMeanSquareNorm(block.layer[1].layer_norm)
        self.feed_forward = T5FeedForward(block.layer[1].DenseReluDense, config)

    def forward(self, x: torch.Tensor, scores: Scores) -> torch.Tensor:
        x = x + self.attention(self.attention_norm(x), scores)
        return x + self.feed_forward(self.norm(x))


class Trunk(nn.Module):
    """The layers of `model` up to the last of `layers` (0: embeddings)."""

    kept: Final[bool]  # the embeddings, among the outputs

    def __init__(self, model, layers):
        super().__init__()
        self.kept = 0 in layers
        (self.enter, self.bias, made, norm) = parts_of(model, layers)
        self.layers = nn.ModuleList(made)
        self.norm_after = norm
        if norm is not None:
            made[-1].kept = False  # but what the norm makes of it


class Encoder(Trunk):
    """Hidden states of one layer."""

    def forward(self, tokens: torch.Tensor, mask: Optional[torch.Tensor] = None) -> torch.Tensor:
        x = self.enter(tokens)
        bias = self.bias(mask, x)
        for layer in self.layers:
            x = layer(x, bias)
        if self.norm_after is not None:
            x = self.norm_after(x)
        return x


class EncoderLayers(Trunk):
    """Hidden states of several layers, in their order, from one pass."""

    def forward(self, tokens: torch.Tensor,
                mask: Optional[torch.Tensor] = None) -> List[torch.Tensor]:
        x = self.enter(tokens)
        bias = self.bias(mask, x)
        states: List[torch.Tensor] = []
        if self.kept:
            states.append(x)
        for layer in self.layers:
            x = layer(x, bias)
            if layer.kept:
                states.append(x)
        if self.norm_after is not None:
            states.append(self.norm_after(x))
        return states


def parts_of(model, layers):
    """What makes the first hidden states, what attention adds, the layers, and the last norm."""
    config, last = model.config, max(layers)
    if config.model_type == "t5":
        stack = model.encoder
        enter = nn.Embedding(*stack.embed_tokens.weight.shape)
        export.take(enter, stack.embed_tokens)
        made = [T5Layer(stack.block[i], config, i + 1 in layers) for i in range(last)]
        norm = RootMeanSquareNorm(stack.final_layer_norm) if last == layer_count(config) else None
        return enter, RelativeBias(stack.block[0].layer[0].SelfAttention), made, norm
    enter = BertEmbeddings(model.embeddings, first_position(config),
                           getattr(model, "embeddings_project", None))
    made = [BertLayer(model.encoder.layer[i], config, i + 1 in layers) for i in range(last)]
    return enter, PaddingBias(), made, None


def layer_count(config):
    return config.num_layers if config.model_type == "t5" else config.num_hidden_layers


def first_position(config):
    """RoBERTa's positions begin behind that of the padding token."""
    return config.pad_token_id + 1 if config.model_type == "roberta" else 0


def most_tokens(config):
    """The longest input, special tokens included; none where any length is taken."""
    if config.model_type == "t5":
        return None
    return config.max_position_embeddings - first_position(config)


def check_config(config):
    """Refuses what the modules here do not compute."""
    if config.model_type == "t5":
        return
    position = getattr(config, "position_embedding_type", None) or "absolute"
    if position != "absolute":
        raise export.ExportError(f"config: position_embedding_type is {position!r}: only absolute "
                                 "ones are known here")
    if config.is_decoder:
        raise export.ExportError("config: a decoder, whose tokens see only those before them")
