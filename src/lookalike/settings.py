"""Every limit and choice in one frozen tree: built-in defaults < `lookalike.toml` < environment < what a call gives.

In the environment the path to a setting is joined by two underscores: LOOKALIKE_IMAGES__MAX_BYTES=5000000. The file is
./lookalike.toml, or the one LOOKALIKE_SETTINGS names.
"""

from __future__ import annotations

import os
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from lookalike.core.errors import InputError
from lookalike.core.images import ImageLimits
from lookalike.core.limits import FetchLimits
from lookalike.engine.search import SearchLimits


class Settings(BaseSettings):
    """The settings of one shop."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKALIKE_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    images: ImageLimits = ImageLimits()
    fetch: FetchLimits = FetchLimits()
    search: SearchLimits = SearchLimits()
    allow_private_urls: bool = Field(False, description="Let image URLs lead into private networks.")
    workers: int = Field(2, ge=1, le=64, description="Threads that decode pictures while indexing.")
    cache_bytes: int = Field(64_000_000, ge=0, description="Memory for vectors of recent queries.")

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
        file = TomlConfigSettingsSource(settings_cls, settings_file())
        return init_settings, env_settings, file


def settings_file() -> Path:
    """Return where settings are read from; raise InputError for a file that was named and is not there."""
    named = os.environ.get("LOOKALIKE_SETTINGS")
    if named and not Path(named).is_file():
        raise InputError(
            f"there is no settings file {named}", hint="LOOKALIKE_SETTINGS names it: check the path."
        )
    return Path(named or "lookalike.toml")


def load_settings(**given: Any) -> Settings:
    """Read the settings; raise InputError naming the one that is wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(step) for step in first["loc"])
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
