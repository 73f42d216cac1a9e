"""The service under load: a real `lookalike serve`, driven over real connections."""
