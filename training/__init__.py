"""How the built-in model is made: from Parquet files to the ONNX files that the package ships. Not part of the package."""
