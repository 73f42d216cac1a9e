"""Pages for people: search results with pictures, and the questions the demo asks its drawn shop."""

from lookalike.pages.results import Shown, local_picture, results_page
from lookalike.pages.story import demo_questions

__all__ = ["Shown", "demo_questions", "local_picture", "results_page"]
