"""Fixtures that several folders of tests use, and how property tests run."""

from hypothesis import HealthCheck, settings

from drawn import drawn, drawn_place, drawn_source
from postgres import postgres_server, postgres_url
from redis_server import redis_program, redis_server

__all__ = [
    "drawn",
    "drawn_place",
    "drawn_source",
    "postgres_server",
    "postgres_url",
    "redis_program",
    "redis_server",
]

# A shared or new machine may take its time: speed is for benchmarks, not for tests to fail by.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
