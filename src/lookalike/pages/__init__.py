"""Pages for people: search results with pictures."""

from lookalike.pages.asked import local_picture
from lookalike.pages.results import Shown, results_page

__all__ = ["Shown", "local_picture", "results_page"]
