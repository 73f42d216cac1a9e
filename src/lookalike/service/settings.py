"""What the service allows: `[service]` in `lookalike.toml`, LOOKALIKE_SERVICE__... in the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lookalike.engine.batching import BatchLimits
from lookalike.service.access import RateLimits
from lookalike.service.bounds import Bounds
from lookalike.service.keys import KEYS_FILE
from lookalike.settings import FileSettings


class ServiceSettings(FileSettings):
    """The settings of one process that serves a shop."""

    model_config = SettingsConfigDict(env_prefix="LOOKALIKE_SERVICE__")
    table = "service"

    bounds: Bounds = Bounds()
    rates: RateLimits = RateLimits()
    batching: BatchLimits = BatchLimits()
    require_keys: bool | None = Field(
        None, description="Whether callers need keys; by default, if others than this machine can call."
    )
    keys_file: Path = Field(KEYS_FILE, description="The file that keeps the hashes of the keys.")
    hosts: tuple[str, ...] = Field(
        (), description="More names the service may be called by when it asks for no keys."
    )
    max_images: int = Field(16, ge=1, le=100, description="Pictures one query may hold.")
    max_queries: int = Field(100, ge=1, le=1000, description="Queries in one batch.")
    max_rows: int = Field(100_000, ge=1, description="Products written or deleted by one request.")
    max_row_bytes: int = Field(64_000_000, ge=1000, description="One row of a file, or a whole JSON array.")
    image_max_age_s: int = Field(300, ge=0, description="How long browsers may keep a product's picture.")
