"""The index of cells made to look into every one of them: then it, too, must find exactly the nearest."""

from __future__ import annotations

import pytest

from lookalike.adapters import index_cells
from lookalike.adapters.index_cells_tuning import SHARES, Budget, Budgets

EVERYTHING = Budgets(
    {(far, share): Budget(1_000_000, 10_000) for far in (False, True) for share in SHARES}, few=3
)


def look_everywhere(patch: pytest.MonkeyPatch, least_rows: int) -> None:
    """Have cells made of so few rows already, and all of them looked into."""
    patch.setattr(index_cells, "LEAST_ROWS", least_rows)
    patch.setattr(index_cells, "tune", lambda cells, recall: EVERYTHING)
