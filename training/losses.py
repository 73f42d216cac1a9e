"""What training asks of the two towers. Every loss is a mean, so that weights mean the same at any batch size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - as everyone calls it


def picture_text(pictures: Tensor, texts: Tensor, true: Tensor, scale: Tensor) -> Tensor:
    """Contrast pictures [n, dim] with texts [m, dim] both ways; return the loss.

    `true` int64 [n, m] says which are of each other: 1 or 0, or -1 for pairs of which nobody knows, which are left out.

    The log-likelihood of every true pair, averaged for each row that has any (the form of Khosla et al., 2020, of the loss of
    Radford et al., 2021). Texts that say nothing of any picture must be left out before.
    """
    logits = (scale * pictures @ texts.T).masked_fill(true < 0, -1e4)
    true = true > 0
    return (_likelihood(logits, true) + _likelihood(logits.T, true.T)) / 2


def _likelihood(logits: Tensor, true: Tensor) -> Tensor:
    count = true.sum(1)
    log_share = F.log_softmax(logits, 1)
    mean = (log_share * true).sum(1) / count.clamp(min=1)
    return -mean[count > 0].mean()


def picture_picture(pictures: Tensor, closeness: Tensor, temperature: float) -> Tensor:
    """Contrast pictures [n, dim] with each other, asking for neighbours in proportion to `closeness` [n, n] >= 0."""
    self_ = torch.eye(len(pictures), dtype=torch.bool, device=pictures.device)
    logits = (pictures @ pictures.T / temperature).masked_fill(self_, -1e4)
    wanted = closeness.masked_fill(self_, 0)
    total = wanted.sum(1)
    mean = (F.log_softmax(logits, 1) * wanted).sum(1) / total.clamp(min=1e-6)
    return -mean[total > 0].mean()


def relations(pictures: Tensor, teachers: Tensor, temperature: float) -> Tensor:
    """Ask that pictures [n, dim] find each other alike as `teachers` [n, n], cosines of others, do.

    The divergence of each row's softmax from the teachers' (relational distillation, as in Tung and Mori, 2019, on softmaxes).
    """
    self_ = torch.eye(len(pictures), dtype=torch.bool, device=pictures.device)
    ours = F.log_softmax((pictures @ pictures.T / temperature).masked_fill(self_, -1e4), 1)
    theirs = F.log_softmax((teachers / temperature).masked_fill(self_, -1e4), 1)
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def alike(one: Tensor, other: Tensor) -> Tensor:
    """Return how far rows point elsewhere: 1 - cosine, mean over rows."""
    return (1 - F.cosine_similarity(one, other, dim=1)).mean()


def labels(logits: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy of labels int64 [n], where -1 is unknown."""
    if not (known >= 0).any():
        return logits.sum() * 0
    return F.cross_entropy(logits, known, ignore_index=-1, label_smoothing=0.05)
