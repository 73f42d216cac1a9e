"""Every limit and choice in a frozen tree: built-in defaults < `lookalike.toml` < environment < what a call gives.

In the environment the path to a setting is joined by two underscores: LOOKALIKE_IMAGES__MAX_BYTES=5000000. The file is
./lookalike.toml, or the one LOOKALIKE_SETTINGS names.
"""

from __future__ import annotations

import os
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from lookalike.core.errors import InputError
from lookalike.core.images import ImageLimits
from lookalike.core.limits import FetchLimits
from lookalike.engine.search import SearchLimits

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
    index: Literal["auto", "exact"] = Field(
        "auto",
        description="`exact` compares every vector; `auto` does so up to 50,000, and looks into cells beyond.",
    )


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


def read_settings(tree: type[Tree], **given: Any) -> Tree:
    """Read a tree of settings; raise InputError naming the one that is wrong."""
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
