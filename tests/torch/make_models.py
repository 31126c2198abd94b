"""Writes the small archives that the tests of lib/torch load: make_models.py FOLDER"""

import json
import pathlib
import sys

import torch
from torch import Tensor, nn

TOKENS = ["-", "?", "^", "$", *"ACDEFGHIKLMNPQRSTVWY"]
WIDTH = 16
ALPHABET = {"tokens": TOKENS, "pad": "-", "unknown": "?", "prepend": "^", "append": "$",
            "allowed": "ACDEFGHIKLMNPQRSTVWY"}


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out, self.up, self.down = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 64), nn.Linear(64, WIDTH)
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        rows, length, width = x.shape
        q, k, v = (t.view(rows, length, 2, width // 2).transpose(1, 2)
                   for t in (self.query(x), self.key(x), self.value(x)))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=keep)
        x = self.first(x + self.out(mixed.transpose(1, 2).reshape(rows, length, width)))
        return self.second(x + self.down(nn.functional.gelu(self.up(x))))


class Encoder(nn.Module):
    """A two-layer transformer in small."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(len(TOKENS), WIDTH)
        self.places = nn.Embedding(512, WIDTH)
        self.layers = nn.ModuleList([Layer(), Layer()])

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        x = self.words(tokens) + self.places(torch.arange(tokens.size(1), device=tokens.device))
        keep = mask.to(torch.bool)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, keep)
        return x


class Wrapped(nn.Module):
    """The encoder behind another signature or another form of output."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder


class Tuple(Wrapped):
    def forward(self, tokens: Tensor, mask: Tensor):
        return tokens, self.encoder(tokens, mask)


class Dict(Wrapped):
    def forward(self, tokens: Tensor, mask: Tensor):
        return {"length": tokens, "states": self.encoder(tokens, mask)}


class OtherMethod(Wrapped):
    @torch.jit.export
    def encode(self, tokens: Tensor, mask: Tensor, zeros: Tensor, scale: float = 1.0) -> Tensor:
        return self.encoder(tokens, mask) * scale + zeros.unsqueeze(2)


class Pooled(Wrapped):
    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.encoder(tokens, mask).sum(1)


class WidthOfBatch(Wrapped):
    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.encoder(tokens, mask)[:, :, :8 + tokens.size(0)]


class TokenNumbers(Wrapped):
    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return tokens.unsqueeze(2).expand(-1, -1, 16)


class Counting(Wrapped):
    """Changes its own attribute, so it cannot be frozen whole."""

    def __init__(self, encoder: nn.Module):
        super().__init__(encoder)
        self.calls: int = 0

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        self.calls += 1
        return self.encoder(tokens, mask)


class Greedy(Wrapped):
    """Asks for more memory than any machine has, for batches of more than eight rows."""

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        states = self.encoder(tokens, mask)
        if tokens.size(0) > 8:
            states = states + torch.zeros([tokens.size(0), 1 << 44]).sum()
        return states


class Failing(Wrapped):
    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        if tokens.size(0) > 8:
            raise ValueError("too many rows for me")
        return self.encoder(tokens, mask)


class Picture(nn.Module):
    def __init__(self, pooled: bool):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.norm.running_mean.uniform_(-1, 1)
        self.norm.running_var.uniform_(0.5, 2)
        self.pooled = pooled

    def forward(self, pixels: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.first(pixels)))
        return x.mean([2, 3]) if self.pooled else x


class Residual(nn.Module):
    """Convolutions of every kind: strided, dilated, grouped, of one pixel, with sums that have the
    result's shape and one that has not, and relu in place."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.narrow = nn.Conv2d(8, 4, 1)
        self.dilated = nn.Conv2d(4, 4, 3, padding=2, dilation=2)
        self.grouped = nn.Conv2d(4, 8, (3, 1), padding=(1, 0), groups=2)
        self.down = nn.Conv2d(8, 8, 1, stride=2)
        self.last = nn.Conv2d(8, 8, 3, stride=2, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.norm(self.stem(pixels)).relu_()
        y = self.narrow(x).relu_()
        y = self.grouped(self.dilated(y).relu_())
        y += x
        y.relu_()
        z = self.last(y)
        z += self.down(y)
        z.relu_()
        return (self.last(z) + z.mean([2, 3], keepdim=True)).relu_().mean([2, 3])


def tokenise(residues):
    number = {token: i for i, token in enumerate(TOKENS)}
    return torch.tensor([[number["^"], *(number[r] for r in residues), number["$"]]])


def sequence_card(name, states, **changes):
    golden = []
    for residues in ("ACDEFGHIKLMNPQRSTVWY", "GG"):
        tokens = tokenise(residues)
        hidden = states(tokens, torch.ones_like(tokens))[0]
        vector = hidden[1:-1].double().mean(0).tolist()
        golden.append({"input": residues, "vector": vector, "tolerance": 1e-5})
    card = {"card": 1, "name": name, "modality": "sequence", "method": "forward",
            "inputs": [{"kind": "tokens", "dtype": "int64"}, {"kind": "mask", "dtype": "int64"}],
            "output": "tokens", "output_key": None, "dimension": WIDTH, "max_tokens": 512,
            "alphabet": ALPHABET, "pooling": "mean", "normalize": "none", "golden": golden,
            "source": {"weights": "random"}}
    return {**card, **changes}


def pattern(size, n):
    c, y, x = (torch.arange(k).view(v) for k, v in
               ((3, (3, 1, 1)), (size, (1, size, 1)), (size, (1, 1, size))))
    return ((x * (7 + 2 * c) + y * (13 + 3 * c) + x * y // 16 + 31 * n) % 256).to(torch.uint8)


def image_card(name, module, pooled):
    mean, std = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]
    pixels = pattern(20, 5).double()[None] / 255
    pixels = (pixels - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    vector = module(pixels.float())[0]
    vector = vector if pooled else vector.mean([1, 2])
    return {"card": 1, "name": name, "modality": "image", "method": "forward",
            "inputs": [{"kind": "pixels", "dtype": "float32"}],
            "output": "pooled" if pooled else "map", "dimension": 8,
            "image": {"size": 20, "resize": 20, "interpolation": "bicubic", "antialias": True,
                      "crop": True, "scale": 1 / 255, "mean": mean, "std": std, "colour": "RGB",
                      "layout": "NCHW", "exif": "ignore"},
            "pooling": "mean", "normalize": "none",
            "golden": [{"input": "pattern:5", "vector": vector.tolist(), "tolerance": 1e-5}]}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)

    def save(name, module, card):
        extra = {} if card is None else {"longhaul.json": json.dumps(card)}
        torch.jit.save(torch.jit.script(module.eval()), str(folder / f"{name}.ts"), _extra_files=extra)

    with torch.no_grad():
        encoder = Encoder().eval()

        def card(name, **changes):
            return sequence_card(name, encoder, **changes)

        save("plain", encoder, card("plain"))
        save("unchecked", encoder, card("unchecked", golden=[]))
        save("no_card", encoder, None)
        save("tuple", Tuple(encoder), card("tuple", output_key=1))
        save("dict", Dict(encoder), card("dict", output_key="states"))
        save("other_method", OtherMethod(encoder), card(
            "other_method", method="encode",
            inputs=[{"kind": "tokens", "dtype": "int32"}, {"kind": "mask", "dtype": "bool"},
                    {"kind": "zeros", "dtype": "float32"}]))
        save("pooled", Pooled(encoder), card("pooled", output="pooled", golden=[]))
        save("width_of_batch", WidthOfBatch(encoder), card("width_of_batch", dimension=10, golden=[]))
        save("token_numbers", TokenNumbers(encoder), card("token_numbers", golden=[]))
        save("counting", Counting(encoder), card("counting"))
        save("greedy", Greedy(encoder), card("greedy"))
        save("failing", Failing(encoder), card("failing"))
        wrong = card("wrong_golden")
        wrong["golden"][1]["vector"][3] += 1e-3
        save("wrong_golden", encoder, wrong)
        # Weights too large for float16, harmless in float32.
        large = Encoder().eval()
        large.layers[0].up.weight.mul_(1e6)
        save("large", large, sequence_card("large", large))
        for name, pooled in (("image_pooled", True), ("image_map", False)):
            picture = Picture(pooled).eval()
            save(name, picture, image_card(name, picture, pooled))
        residual = Residual().eval()
        save("image_residual", residual, image_card("image_residual", residual, True))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
