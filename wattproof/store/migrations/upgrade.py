"""Brings the tables of a database to this version."""

from __future__ import annotations

import functools
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from wattproof.store.problems import BadStore, shown


@functools.cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def revisions() -> list[str]:
    """All revisions, the first one first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def is_current(connection: Connection) -> bool:
    """Whether the tables are of this version. Raises BadStore where they are of a later one."""
    found = MigrationContext.configure(connection).get_current_heads()
    if strange := sorted(set(found) - set(revisions())):
        raise BadStore(
            f"{shown(connection.engine.url)}: its tables are of a later version ({strange[0]}) than this "
            "program knows: install the latest Wattproof, or name another database"
        )
    return found == tuple(_scripts().get_heads())


def has_tables(connection: Connection) -> bool:
    """Whether there are tables of any version."""
    return bool(MigrationContext.configure(connection).get_current_heads())


def run(connection: Connection, revision: str = "head") -> None:
    """Migrates up to a revision, in the connection's transaction. Raises BadStore as `is_current`."""
    if not is_current(connection):
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
