"""Pictures as they might have been taken: another crop, ground, light, colour cast, focus and noise. All on whole batches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

MEAN = 0.5
STD = 0.25


def augment(canvases: Tensor, size_px: int, rng: torch.Generator) -> Tensor:
    """Take uint8 [n, side, side, 4], the last channel being 0 on ground -> float32 [n, 3, size_px, size_px], normalised."""
    layers = canvases.permute(0, 3, 1, 2).float().mul_(1 / 255)
    # Off the canvas is white and ground: sampling there gives 0, so white is 0 while sampling.
    layers[:, :3] -= 1
    sampled = F.grid_sample(layers, _grid(len(layers), size_px, rng), align_corners=False)
    pixels, thing = sampled[:, :3] + 1, sampled[:, 3:]
    chosen = _some(len(pixels), 0.4, rng)
    pixels[chosen] = _on_other_ground(pixels[chosen], thing[chosen], rng)
    pixels = _in_other_light(pixels, rng)
    chosen = _some(len(pixels), 0.2, rng)
    pixels[chosen] = F.avg_pool2d(pixels[chosen], 3, 1, 1, count_include_pad=False)
    chosen = _some(len(pixels), 0.3, rng)
    pixels[chosen] += 0.02 * torch.randn(pixels[chosen].shape, generator=rng)
    return pixels.clamp_(0, 1).sub_(MEAN).mul_(1 / STD)


def plain(canvases: Tensor, size_px: int) -> Tensor:
    """Take uint8 [n, side, side, 4] -> float32 [n, 3, size_px, size_px], normalised, as nearly as serving sees them."""
    pixels = canvases[..., :3].permute(0, 3, 1, 2).float() / 255
    small = F.interpolate(pixels, (size_px, size_px), mode="bilinear", antialias=True, align_corners=False)
    return (small - MEAN) / STD


def _uniform(n: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=rng)


def _some(n: int, share: float, rng: torch.Generator) -> Tensor:
    """Choose about a share of n pictures -> int64, their rows."""
    return (torch.rand(n, generator=rng) < share).nonzero()[:, 0]


def _either(one: Tensor, other: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Take the first for a share of pictures [n, ...], the second for the others."""
    return torch.where(torch.rand(len(other), 1, 1, 1, generator=rng) < share, one, other)


def _grid(n: int, size_px: int, rng: torch.Generator) -> Tensor:
    """Draw a crop, a little turn, a stretch and perhaps a mirror for each picture -> [n, size_px, size_px, 2]."""
    zoom = _uniform(n, 0.6, 1.12, rng)
    stretch = torch.exp(_uniform(n, -0.18, 0.18, rng))
    turn = torch.randn(n, generator=rng) * 0.12
    mirror = torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)
    room = (1 - zoom).abs() + 0.04
    across, down = _uniform(n, -1, 1, rng) * room, _uniform(n, -1, 1, rng) * room
    cos, sin = torch.cos(turn), torch.sin(turn)
    theta = torch.stack(
        [
            torch.stack([zoom * stretch * cos * mirror, -zoom * sin, across], 1),
            torch.stack([zoom * stretch * sin * mirror, zoom * cos, down], 1),
        ],
        1,
    )
    return F.affine_grid(theta, [n, 3, size_px, size_px], align_corners=False)


def _on_other_ground(pixels: Tensor, thing: Tensor, rng: torch.Generator) -> Tensor:
    """Lay things on a plain colour, a shade from one colour to another, or another picture, perhaps blurred."""
    n, _, height, width = pixels.shape
    one, two = torch.rand(2, n, 3, 1, 1, generator=rng)
    one = _either(0.6 + 0.4 * one, one, 0.4, rng)  # light grounds are common
    shade = torch.linspace(0, 1, height).view(1, 1, height, 1)
    plain_ = (one + (_either(two, one, 0.5, rng) - one) * shade).expand(n, 3, height, width)
    other = pixels.flip(0).flip(3)
    coarse = F.interpolate(F.avg_pool2d(other, 8), (height, width), mode="bilinear", align_corners=False)
    ground = _either(_either(coarse, other, 0.5, rng), plain_, 0.5, rng)
    return ground + (pixels - ground) * thing


def _in_other_light(pixels: Tensor, rng: torch.Generator) -> Tensor:
    """Change brightness, contrast, saturation and the colour of the light, mostly a little."""
    n = len(pixels)
    strength = _either(torch.ones(n, 1, 1, 1), torch.full((n, 1, 1, 1), 0.35), 0.3, rng)

    def factor(spread: float, channels: int = 1) -> Tensor:
        return torch.exp(torch.randn(n, channels, 1, 1, generator=rng) * spread * strength)

    lit = pixels * (factor(0.08, 3) * factor(0.2))
    middle = lit.mean((1, 2, 3), keepdim=True)
    lit = middle + (lit - middle) * factor(0.2)
    grey = lit.mean(1, keepdim=True)
    return grey + (lit - grey) * factor(0.18)
