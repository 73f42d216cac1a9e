"""Visual and text product search for shops: a catalogue in, look-alikes out."""

__version__ = "0.1.0"
