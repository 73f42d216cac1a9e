"""The two towers: a small residual net that also looks at colours, and a small transformer over hashed words.

Both are plain enough to be exported, and to run on one core in a few milliseconds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from lookalike.adapters.encoder_onnx_words import BUCKETS

STEM = 32
WIDTHS = (64, 128, 224, 320)
DEPTHS = (1, 2, 2, 1)
COLORS = 48
GAZES = 3
WORD = 96
HIDDEN = 192


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., 2016)."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(out)
        nn.init.zeros_(self.second_norm.weight)  # a block begins as its shortcut
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != out:
            pool = nn.AvgPool2d(2, ceil_mode=True) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


class ColorReader(nn.Module):
    """Reads colours where the net looks: each cell's pixels become soft bins of a learned palette, averaged by attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bins = nn.Sequential(nn.Conv2d(3, 32, 1), nn.ReLU(), nn.Conv2d(32, COLORS, 1))
        self.gaze = nn.Conv2d(channels, GAZES, 1)
        self.dim = COLORS * GAZES

    def forward(self, pixels: Tensor, features: Tensor) -> Tensor:
        """Take pixels [n, 3, s, s] and features [n, c, s/8, s/8] -> [n, 144]."""
        bins = F.softmax(self.bins(F.avg_pool2d(pixels, 2)), 1)
        cells = F.avg_pool2d(bins, 4).flatten(2)
        gaze = F.softmax(self.gaze(features).flatten(2), 2)
        return torch.einsum("ngp,ncp->ngc", gaze, cells).flatten(1)


class ImageTower(nn.Module):
    """Pictures float32 [n, 3, s, s], s a multiple of 16, -> float32 [n, dim], unit rows."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, STEM, 3, 2, 1, bias=False), nn.BatchNorm2d(STEM), nn.ReLU())
        stages: list[nn.Module] = []
        channels = STEM
        for width, depth in zip(WIDTHS, DEPTHS, strict=True):
            blocks = [Block(channels, width, 2), *(Block(width, width) for _ in range(depth - 1))]
            stages.append(nn.Sequential(*blocks))
            channels = width
        self.stages = nn.ModuleList(stages)
        self.colors = ColorReader(WIDTHS[1])
        self.trunk_dim = WIDTHS[2] + WIDTHS[3] + self.colors.dim
        self.norm = nn.BatchNorm1d(self.trunk_dim)
        self.head = nn.Linear(self.trunk_dim, dim)

    def trunk(self, pixels: Tensor) -> Tensor:
        """Return what the head, and in training the other heads, read -> [n, trunk_dim]."""
        x = self.stem(pixels)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        pooled = [maps[2].mean((2, 3)), maps[3].mean((2, 3)), self.colors(pixels, maps[1])]
        return self.norm(torch.cat([part.float() for part in pooled], 1))

    def project(self, trunk: Tensor) -> Tensor:
        return F.normalize(self.head(trunk).float(), dim=1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.project(self.trunk(pixels))


class TextTower(nn.Module):
    """Hashed words int64 [n, words, 28] -> float32 [n, dim], unit rows. A word of nothing but 0 is padding."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.table = nn.Embedding(BUCKETS, WORD, padding_idx=0)
        nn.init.normal_(self.table.weight, std=0.5)
        with torch.no_grad():
            self.table.weight[0] = 0
        self.word = nn.Sequential(
            nn.LayerNorm(WORD), nn.Linear(WORD, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN)
        )
        self.attention_norm = nn.LayerNorm(HIDDEN)
        self.query_key_value = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.mixed = nn.Linear(HIDDEN, HIDDEN)
        self.inner = nn.Sequential(
            nn.LayerNorm(HIDDEN), nn.Linear(HIDDEN, 2 * HIDDEN), nn.GELU(), nn.Linear(2 * HIDDEN, HIDDEN)
        )
        self.salience = nn.Linear(HIDDEN, 1)
        self.norm = nn.LayerNorm(HIDDEN)
        self.head = nn.Linear(HIDDEN, dim)

    def forward(self, features: Tensor) -> Tensor:
        known = (features > 0).float()
        count = known.sum(2, keepdim=True)
        words = self.sums(features) / count.clamp(min=1).sqrt()
        absent = (1 - count.clamp(max=1)).transpose(1, 2) * -1e4  # [n, 1, words]
        x = self.word(words)
        x = x + self.attend(self.attention_norm(x), absent)
        x = x + self.inner(x)
        weights = F.softmax(self.salience(x).transpose(1, 2) + absent, 2)  # [n, 1, words]
        pooled = torch.matmul(weights, x).squeeze(1)
        return F.normalize(self.head(self.norm(pooled)), dim=1)

    def sums(self, features: Tensor) -> Tensor:
        """Add up the rows of each word [n, words, 28] -> [n, words, 96]; the same sum in two ways."""
        if torch.onnx.is_in_onnx_export():
            return self.table(features).sum(2)
        bags = F.embedding_bag(features.flatten(0, 1), self.table.weight, mode="sum", padding_idx=0)
        return bags.unflatten(0, features.shape[:2])

    def attend(self, x: Tensor, absent: Tensor) -> Tensor:
        """One attention over the words of a text, in one head: texts are short."""
        query, key, value = self.query_key_value(x).chunk(3, 2)
        scores = torch.matmul(query, key.transpose(1, 2)) / HIDDEN**0.5
        mixed: Tensor = self.mixed(torch.matmul(F.softmax(scores + absent, 2), value))
        return mixed
