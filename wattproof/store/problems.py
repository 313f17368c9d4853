"""What can go wrong with a store, each in one line that says what to do. None of them shows a password."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from wattproof.outputs import one_line


class StoreProblem(Exception):
    """The store cannot do that; the one-line text says why, and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class BadStore(StoreProblem):
    """The address names no database that can be used."""


class StoreFull(StoreProblem):
    """There is no room. Nothing of what was asked for was done."""


class StoreUnusable(StoreProblem):
    """The database went away, or others keep it. Nothing of what was asked for was done."""


class Conflict(StoreProblem):
    """The block does not follow the cursor: another watcher was there, or the chain was reorganised."""


class TooDeep(StoreProblem):
    """A rollback beyond what is remembered."""


def parsed(url: str) -> URL:
    """The URL of a database, with the driver that we use. Raises BadStore, which does not repeat it."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number.
        raise BadStore(
            "--db is no URL of a database: write sqlite:///market.db or postgresql://user@host/database"
        ) from None
    kind = address.drivername.split("+")[0]
    if kind == "sqlite":
        if not address.database or address.database == ":memory:":
            raise BadStore("--db names no file: write sqlite:///market.db, or sqlite:////srv/market.db from the root")
        return address.set(drivername="sqlite")
    if kind in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+psycopg")
    raise BadStore(f"--db names the database {one_line(kind)}, which is not supported: take sqlite or postgresql")


def shown(url: URL) -> str:
    """The address without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    host = url.host or str(url.query.get("host", "")) or "this machine"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


@contextlib.contextmanager
def told(url: URL) -> Iterator[None]:
    """Turns what the database's driver raises into a `StoreProblem`, without whatever the address hides."""
    try:
        yield
    except DBAPIError as problem:
        raise _problem(problem, url) from None
    except NoSuchModuleError:
        raise BadStore(f"{shown(url)}: this kind of database is not supported: take sqlite or postgresql") from None
    except SQLAlchemyError as problem:
        raise StoreUnusable(f"{shown(url)}: {_first_line(problem, url)}") from None


def _problem(problem: DBAPIError, url: URL) -> StoreProblem:
    where, text = shown(url), _first_line(problem.orig or problem, url)
    if getattr(problem.orig, "sqlstate", None) == "53100" or "full" in text or "No space left" in text:
        return StoreFull(f"{where}: the disk is full; nothing was written: make room, and start again")
    if "is locked" in text:
        return StoreUnusable(f"{where}: another program keeps the database locked: end it, or try again")
    if "readonly" in text or "read-only" in text:
        return BadStore(f"{where}: may not be written: give its user the right to, or name another database")
    if "not a database" in text or "malformed" in text:
        return BadStore(f"{where}: is no database of SQLite, or a damaged one: restore it, or name another file")
    if "unable to open" in text:
        return BadStore(f"{where}: cannot be opened: does its folder exist, and may it be written?")
    return StoreUnusable(f"{where}: {text}")


def _first_line(problem: BaseException, url: URL) -> str:
    """What the driver says, cut to a line; the secrets of the address are taken out, should it repeat them."""
    text = (str(problem).strip() or type(problem).__name__).splitlines()[0]
    hidden = [url.password, *(value for values in url.query.values() for value in _each(values))]
    for secret in sorted({str(each) for each in hidden if each}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text[:200]


def _each(values: str | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else values
