"""The schema's versions, by Alembic. A node migrates its store when it opens it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

_HERE = Path(__file__).parent / "migrations"


@cache
def newest_version() -> str:
    """The schema that this program has."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def version_of(connection: Connection) -> str | None:
    """The schema that a store has; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    return config


def migrate(engine: Engine) -> None:
    """Bring the store to the newest version; does nothing when it is there."""
    with engine.connect() as connection:
        if version_of(connection) == newest_version():
            return
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
