"""What the service allows: `[service]` in `lookalike.toml`, LOOKALIKE_SERVICE__... in the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, IPvAnyNetwork
from pydantic_settings import SettingsConfigDict

from lookalike.core.limits import FetchLimits
from lookalike.engine.batching import BatchLimits
from lookalike.service.access import RateLimits
from lookalike.service.bounds import Bounds
from lookalike.service.keys import KEYS_FILE
from lookalike.service.search_log import EventSettings
from lookalike.settings import FileSettings


@dataclass(frozen=True, slots=True)
class QueryFetch(FetchLimits):
    """What getting one picture that somebody asks with may cost: a caller and a thread wait for it."""

    max_bytes: int = 10_000_000
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 3.0
    total_timeout_s: float = 5.0
    attempts: int = 2
    backoff_s: float = 0.2
    max_redirects: int = 3


class ServiceSettings(FileSettings):
    """The settings of one process that serves a shop."""

    model_config = SettingsConfigDict(env_prefix="LOOKALIKE_SERVICE__")
    table = "service"

    bounds: Bounds = Bounds()
    rates: RateLimits = RateLimits()
    batching: BatchLimits = BatchLimits()
    events: EventSettings = EventSettings()
    fetch: QueryFetch = QueryFetch()
    require_keys: bool | None = Field(
        None, description="Whether callers need keys; by default, if others than this machine can call."
    )
    keys_file: Path = Field(KEYS_FILE, description="The file that keeps the hashes of the keys.")
    hosts: tuple[str, ...] = Field(
        (), description="More names the service may be called by when it asks for no keys."
    )
    proxies: tuple[IPvAnyNetwork, ...] = Field(
        (),
        description="Proxies before the service, by address or network: who calls is whom their X-Forwarded-For names.",
    )
    results_bytes: int = Field(64_000_000, ge=0, description="Bytes of answers that are kept; 0: none are.")
    follow_s: float = Field(0.25, gt=0, description="Seconds between two looks for changes by others.")
    stalled_s: float = Field(
        30.0,
        ge=3,
        description="Seconds one of several workers may answer nothing before it is replaced.",
    )
    shadow_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of searches repeated exactly in the background, to measure recall.",
    )
    shadow_exact: bool = Field(
        False, description="Whether those are repeated, too, that were exact already; else their recall is 1."
    )
    max_images: int = Field(16, ge=1, le=100, description="Pictures one request may ask with.")
    max_fetching: int = Field(
        16,
        ge=1,
        description="Requests that wait for pictures from the web at a time; others are not held up.",
    )
    max_writing: int = Field(16, ge=1, description="Changes of products that are worked on at a time.")
    max_queries: int = Field(100, ge=1, le=1000, description="Queries in one batch.")
    max_json_values: int = Field(
        120_000, ge=1000, description="Values in one JSON body, or in one row of a file."
    )
    max_rows: int = Field(100_000, ge=1, description="Products written or deleted by one request.")
    max_row_bytes: int = Field(64_000_000, ge=1000, description="One row of a file.")
    max_array_bytes: int = Field(10_000_000, ge=1000, description="A JSON array of products.")
    image_max_age_s: int = Field(300, ge=0, description="How long browsers may keep a product's picture.")
