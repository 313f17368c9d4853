"""Where a household's signed readings come from: a meter whose key is in a keystore, or the folder that a device
fills."""

from __future__ import annotations

import abc
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from wattproof import documents
from wattproof.agents.household.tables import BadTable, Measured, Table, read_measured
from wattproof.agents.readings import BadReading, SignedReading, Spool
from wattproof.chain.accounts import Account
from wattproof.market.meters import Device

PAIRING = "meter.pairing"
"""The file in a device's folder with its signature of the pairing."""

PAIRING_SCHEMA = "wattproof-pairing/1"


class KeyMeter(Device):
    """A meter whose key is in a keystore."""

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def address(self) -> str:
        """The address of the key."""
        return self._account.address

    def _signature(self, digest: bytes) -> bytes:
        return self._account.sign_digest(digest)


class Meter(abc.ABC):
    """A source of signed readings of one user on one market."""

    @abc.abstractmethod
    def pairing(self, profile: bytes) -> tuple[str, bytes]:
        """The meter's address, and its signature of the pairing (T-REG-6). Raises BadReading."""

    @abc.abstractmethod
    def look(self) -> tuple[bool, list[str]]:
        """Looks for what is new; says whether there is anything, and what is wrong. Raises OSError, BadTable."""

    @abc.abstractmethod
    def readings(self, periods: Iterable[int]) -> Mapping[int, SignedReading]:
        """The signed readings of these periods, as far as they are there."""

    @property
    @abc.abstractmethod
    def source(self) -> Path:
        """Where what it counted is looked for."""

    @property
    def spool(self) -> Spool | None:
        """The folder from which what is over is put away; None: there is none."""
        return None

    @property
    def address(self) -> str | None:
        """The meter's number on the chain; None where only the device knows it."""
        return None


class OfKey(Meter):
    """A meter whose key is here; what it counted stands in a file."""

    def __init__(self, account: Account, chain: int, market: str, user: str, measured: Table[Measured]) -> None:
        self._device, self._measured = KeyMeter(account), measured
        self._chain, self._market, self._user = chain, market, user

    @classmethod
    def opened(
        cls, keystore: Path, chain: int, market: str, user: str, measured: Path | None, period_length: int
    ) -> OfKey:
        """Raises BadAccount and BadTable, also where no file is named: who reports nothing loses its authorisation."""
        account = Account.open(keystore)
        if measured is None:
            raise BadTable("--meter is a keystore: name what it counted by --measured FILE")
        return cls(account, chain, market, user, Table(measured, period_length, read_measured))

    @property
    def source(self) -> Path:
        return self._measured.path

    @property
    def address(self) -> str:
        return self._device.address

    def pairing(self, profile: bytes) -> tuple[str, bytes]:
        return self._device.address, self._device.sign_pairing(self._market, self._user, profile, self._chain)

    def look(self) -> tuple[bool, list[str]]:
        return self._measured.look(), []

    def readings(self, periods: Iterable[int]) -> dict[int, SignedReading]:
        rows = self._measured.rows
        return {period: self._signed(period, rows[period]) for period in periods if period in rows}

    def _signed(self, period: int, measured: Measured) -> SignedReading:
        figures = (self._user, period, measured.exported, measured.imported)
        signature = self._device.sign_reading(self._market, *figures, self._chain)
        return SignedReading(self._chain, self._market, *figures, signature)


class OfFolder(Meter):
    """A device elsewhere, which puts signed readings into a folder (`wattproof.agents.readings`)."""

    def __init__(self, folder: Path, chain: int, market: str, user: str) -> None:
        """Raises BadPlace."""
        self._spool, self._user = Spool(folder, chain, market), user
        self._path = folder / PAIRING
        self._wanted = {"schema": PAIRING_SCHEMA, "chain": chain, "market": market, "user": user}

    @property
    def source(self) -> Path:
        return self._spool.folder

    @property
    def spool(self) -> Spool:
        return self._spool

    def pairing(self, profile: bytes) -> tuple[str, bytes]:
        try:
            told = documents.parsed(self._path.read_bytes())
        except (OSError, ValueError):
            told = None
        if not isinstance(told, dict):
            raise BadReading(f"{self._path}: holds no signature of the pairing; have the meter sign it")
        for name, value in (self._wanted | {"profile": "0x" + profile.hex()}).items():
            if str(told.get(name)).lower() != str(value).lower():
                raise BadReading(f'{self._path}: its "{name}" is not {value}; have the meter sign the pairing for it')
        meter, signature = str(told.get("meter")), str(told.get("signature"))
        if not re.fullmatch("0x[0-9a-fA-F]{40}", meter) or not re.fullmatch("0x([0-9a-fA-F]{2}){0,65}", signature):
            raise BadReading(f"{self._path}: its meter is no address, or its signature no bytes in hexadecimal digits")
        return meter, bytes.fromhex(signature[2:])

    def look(self) -> tuple[bool, list[str]]:
        before = self._spool.readings
        lines = self._spool.look()
        return self._spool.readings != before, lines

    def readings(self, periods: Iterable[int]) -> dict[int, SignedReading]:
        wanted = set(periods)
        mine = [one for one in self._spool.readings if one.user == self._user and one.period in wanted]
        return {one.period: one for one in reversed(mine)}  # Of several the first counts, as for the operator.
