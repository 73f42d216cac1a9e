"""Fixtures that several folders of tests use."""

from drawn import drawn, drawn_place, drawn_source
from postgres import postgres_server, postgres_url

__all__ = ["drawn", "drawn_place", "drawn_source", "postgres_server", "postgres_url"]
