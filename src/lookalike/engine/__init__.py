"""Orchestration through the ports: ingest, index, search, evaluate."""
