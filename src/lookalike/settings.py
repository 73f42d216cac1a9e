"""Every limit and choice in a frozen tree: built-in defaults < `lookalike.toml` < environment < what a call gives.

In the environment the path to a setting is joined by two underscores: LOOKALIKE_IMAGES__MAX_BYTES=5000000. The file is
./lookalike.toml, or the one LOOKALIKE_SETTINGS names.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)
from rapidfuzz import fuzz, process

from lookalike.core.errors import InputError
from lookalike.core.images import ImageLimits
from lookalike.core.limits import FetchLimits
from lookalike.engine.search import SearchLimits

log = logging.getLogger(__name__)
CLOSE = 75
"""How alike two names are, of 100, for one to be taken for a misspelling of the other."""
TABLES = ("service",)
"""Tables of the file that have a tree of their own; all the rest is `Settings`."""


class FileSettings(BaseSettings):
    """A tree of settings: what a call gives, the environment, and `table` of the file ("" for what is in none)."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKALIKE_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )
    table: ClassVar[str] = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read, first come first served: what a call gives, the environment, the file."""
        held = TomlConfigSettingsSource(settings_cls, settings_file()).toml_data
        rest = {name: value for name, value in held.items() if name not in TABLES}
        mine = held.get(cls.table, {}) if cls.table else rest
        if not isinstance(mine, dict):
            raise InputError(
                f"{cls.table} is no table in {settings_file()}", hint=f"Write [{cls.table}] above its lines."
            )
        return init_settings, env_settings, InitSettingsSource(settings_cls, mine)


class Settings(FileSettings):
    """The settings of one shop."""

    images: ImageLimits = ImageLimits()
    fetch: FetchLimits = FetchLimits()
    search: SearchLimits = SearchLimits()
    allow_private_urls: bool = Field(False, description="Let image URLs lead into private networks.")
    workers: int = Field(2, ge=1, le=64, description="Threads that decode pictures while indexing.")
    cache_bytes: int = Field(64_000_000, ge=0, description="Memory for vectors of recent queries.")
    cache_url: SecretStr | None = Field(
        None,
        description="A Redis that processes share vectors of queries and answers through; none: each has its own.",
    )
    cache_ttl_s: int = Field(3600, ge=1, description="How long these are kept there.")
    cache_timeout_s: float = Field(0.05, gt=0, le=5, description="How long one is waited for.")
    cache_max_value_bytes: int = Field(1_000_000, ge=1, description="Larger answers are not kept there.")
    encoder_providers: tuple[str, ...] = Field(
        (), description="What runs models, best first: cpu, cuda, openvino, coreml; none: the processor."
    )
    encoder_threads: int = Field(
        0, ge=0, le=256, description="Threads of one call of a model; 0: all cores, up to 8."
    )
    models_dir: Path | None = Field(
        None, description="Folder of fetched models; none: lookalike/models in this user's folder for caches."
    )
    index: Literal["auto", "exact"] = Field(
        "auto",
        description="`exact` compares every vector; `auto` does so up to 50,000, and looks into cells beyond.",
    )
    index_recall: float = Field(
        0.95,
        ge=0.5,
        le=0.999,
        description="What `auto` is tuned for beyond 50,000: found of the ten nearest.",
    )
    index_memory_bytes: int | None = Field(
        None,
        ge=10_000_000,
        description="Memory that the index of one space may take; what is too much goes to disk. None: any amount.",
    )
    snapshots: str = Field(
        "auto",
        description="Folder that the indexes are kept in; `auto`: beside a SQLite file, for PostgreSQL none; `off`: none.",
    )


def models_folder(settings: Settings) -> Path:
    """Return where fetched models are: the setting `models_dir`, or lookalike/models where this system keeps caches."""
    if settings.models_dir is not None:
        return settings.models_dir.expanduser()
    usual = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}.get(sys.platform, "~/.cache")
    named = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return Path(named or usual).expanduser() / "lookalike/models"


def settings_file() -> Path:
    """Return where settings are read from; raise InputError for a file that was named and is not there."""
    named = os.environ.get("LOOKALIKE_SETTINGS")
    if named and not Path(named).is_file():
        raise InputError(
            f"there is no settings file {named}", hint="LOOKALIKE_SETTINGS names it: check the path."
        )
    return Path(named or "lookalike.toml")


def load_settings(**given: Any) -> Settings:
    """Read the settings of a shop; raise InputError naming the one that is wrong."""
    return read_settings(Settings, **given)


Tree = TypeVar("Tree", bound=FileSettings)
OTHER_NAMES = ("LOOKALIKE_SETTINGS", "LOOKALIKE_SHOP")
"""Names in the environment that are no settings: the file they are in, and the shop of commands."""


def names_of(tree: type[FileSettings]) -> Iterator[str]:
    """Yield the names in the environment that a tree of settings reads."""
    prefix = str(tree.model_config.get("env_prefix", ""))
    for name, field in tree.model_fields.items():
        yield f"{prefix}{name}".upper()
        if isinstance(field.annotation, type) and is_dataclass(field.annotation):
            yield from (f"{prefix}{name}__{each.name}".upper() for each in fields(field.annotation))


def unknown_names(tree: type[FileSettings], environment: Iterable[str]) -> list[str]:
    """Return the names in the environment that are meant for a tree of settings, and that it does not know."""
    known = {*names_of(tree), *OTHER_NAMES}
    prefix = str(tree.model_config.get("env_prefix", "")).upper()
    tables = () if tree.table else tuple(f"{prefix}{table.upper()}__" for table in TABLES)
    return sorted(
        name
        for name in environment
        if name.upper().startswith(prefix)
        and not name.upper().startswith(tables)
        and name.upper() not in known
    )


@cache
def _warn(name: str, known: tuple[str, ...]) -> None:
    """Say, once, that a name in the environment is no setting, and which may be meant."""
    near = process.extractOne(name.upper(), known, scorer=fuzz.ratio, score_cutoff=CLOSE)
    guess = f"did you mean {near[0]}?" if near else "docs/reference.md lists them all."
    log.warning("%s is no setting, and is not read: %s", name, guess)


def read_settings(tree: type[Tree], **given: Any) -> Tree:
    """Read a tree of settings; raise InputError naming the one that is wrong."""
    for name in unknown_names(tree, os.environ):
        _warn(name, (*names_of(tree), *OTHER_NAMES))
    try:
        return tree(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(step) for step in (*filter(None, [tree.table]), *first["loc"]))
        raise InputError(
            f"setting {name}: {first['msg']}",
            hint=f"It comes from LOOKALIKE_{name.upper().replace('.', '__')}, lookalike.toml or the call.",
        ) from None
    except SettingsError as error:
        raise InputError(
            f"the settings cannot be read: {error}", hint="Check the LOOKALIKE_... variables."
        ) from None
    except (TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(
            f"{settings_file()} cannot be read: {error}", hint="It must be TOML, in UTF-8."
        ) from None
