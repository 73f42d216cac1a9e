"""Models are data: a NAME.toml says how to use the .onnx files it names, and which vectors they must give.

What a TOML holds is written down in `lookalike.adapters.encoder_onnx_preset`.
"""
