"""A demonstration shop that the project draws itself: products, words and pictures from a seed."""

from lookalike.demo.plan import plan_shop
from lookalike.demo.shop import draw_shop

__all__ = ["draw_shop", "plan_shop"]
