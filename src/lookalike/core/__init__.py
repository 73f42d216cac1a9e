"""Nouns and arithmetic: NumPy and Pillow only; no I/O, no clock, no settings."""
