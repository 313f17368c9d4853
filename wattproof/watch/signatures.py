"""What meters' signatures are worth, found out by code of our own: the model is told a verdict, never the contract's.

Of a key, the signer is recovered from the bytes. A meter that has code is asked, as the market asks it (T-REG-22), at
the block before; where it shows a P-256 key as `P256Meter` does, the signature is checked against that key besides.
What cannot be known, such as the answer of a contract that is younger than that block, is taken from the chain, and
named.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import coincurve
from eth_keys.constants import SECPK1_N
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from wattproof.chain.answers import data_of
from wattproof.chain.node import BlockGone, Node, Reverted, RpcError, block_parameter
from wattproof.evm import p256
from wattproof.market.abi import word
from wattproof.market.meters import domain_separator, pairing_hash, reading_hash
from wattproof.terms import model
from wattproof.terms.model import Code

MAGIC = bytes.fromhex("1626ba7e").ljust(32, b"\0")
"""What a contract answers that says yes (ERC-1271)."""

GAS = 100_000
"""What the market gives a meter's code to answer (T-REG-22)."""

_IS_VALID = keccak(text="isValidSignature(bytes32,bytes)")[:4]
_X, _Y = keccak(text="X()")[:4], keccak(text="Y()")[:4]

Message = tuple[object, ...]
"""What is signed, as the model makes it: kind, chain, market, then the fields."""


@dataclass(frozen=True)
class Handed(model.Signature):
    """A verdict, and the bytes that it is of."""

    raw: bytes = b""


def digest_of(message: Message) -> bytes:
    """The EIP-712 digest that a meter signs (T-REG-6, T-REG-7, T-MET-4)."""
    kind, chain_id, market, *fields = message
    struct = pairing_hash if kind == "Pairing" else reading_hash
    assert isinstance(chain_id, int) and isinstance(market, str)
    return keccak(b"\x19\x01" + domain_separator(chain_id, market) + struct(*fields))  # type: ignore[arg-type]


def verdict(signature: bytes, message: Message) -> Handed:
    """What a signature of that message is worth (T-REG-8 to T-REG-10)."""
    if len(signature) != 65:
        return Handed("malformed", raw=signature)
    if int.from_bytes(signature[32:64], "big") > SECPK1_N // 2:
        return Handed("malleable", raw=signature)
    signer = _signer(digest_of(message), signature)
    if signer is None:
        return Handed("unrecoverable", raw=signature)
    return Handed("ok", signer, message, signature)


@functools.lru_cache(maxsize=10_000)
def _signer(digest: bytes, signature: bytes) -> str | None:
    """Whose key signed, as the chain's precompile recovers it; None where nobody's did."""
    if signature[64] not in (27, 28):
        return None
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
        )
    except ValueError:
        return None
    return to_checksum_address(keccak(key.format(compressed=False)[1:])[-20:])


class Meters(Mapping[str, Code]):
    """The meters that have code, as the model asks for them.

    node, block   where they are asked: the end of the block before the one that is checked. Without a node, as where
                  stored calls are made again, all is taken from what the chain said
    said          what the chain said of each message of the call that is compared: whether it took the signature
    unknown       what was taken from there, a line each
    """

    def __init__(self) -> None:
        self.node: Node | None = None
        self.block = "latest"
        self.said: Callable[[Message], bool] = lambda message: False
        self.unknown: list[str] = []

    def __deepcopy__(self, memo: object) -> Meters:
        return self

    def __len__(self) -> int:
        raise TypeError("the chain is not counted")

    def __iter__(self) -> Iterator[str]:
        raise TypeError("the chain is not counted")

    def __contains__(self, meter: object) -> bool:
        # Only asked where the key did not sign. Then it may have code; what the chain took, no key has signed.
        if self.node is None:
            return True
        return bool(self._code(str(meter), self.block)) or bool(self._code(str(meter), "latest"))

    def __getitem__(self, meter: str) -> Code:
        return functools.partial(self._asked, meter)

    def _code(self, meter: str, block: str) -> bytes:
        assert self.node is not None
        return _code_at(self.node, meter, block)

    def _asked(self, meter: str, message: Message, signature: model.Signature) -> bool:
        raw = signature.raw if isinstance(signature, Handed) else b""
        digest = digest_of(message)
        try:
            if self.node is None or not self._code(meter, self.block):
                raise LookupError("it has no code at the block before")
            answer = answer_of(self.node, meter, digest, raw, self.block)
            key = _key_of(self.node, meter, self.block)
        except (LookupError, BlockGone, RpcError) as problem:
            took = self.said(message)
            if self.node is not None:
                self.unknown.append(f"meter {meter}: {problem}; the chain's word is taken: {'yes' if took else 'no'}")
            return took
        if key is not None and len(raw) == 64 and answer != _by_key(digest, raw, key):
            raise KeyDisagrees(meter)
        return answer


class KeyDisagrees(AssertionError):
    """A meter's contract says otherwise than the P-256 key that it shows."""

    def __init__(self, meter: str) -> None:
        super().__init__(f"meter {meter} says otherwise than the key that it shows")


def answer_of(node: Node, meter: str, digest: bytes, signature: bytes, block: str) -> bool:
    """Whether the code of a meter says at the end of a block that its device signed. Raises BlockGone, RpcError."""
    padded = signature + bytes(-len(signature) % 32)
    data = _IS_VALID + digest + word(64) + word(len(signature)) + padded
    try:
        return node.view(meter, data, block) == MAGIC
    except Reverted:
        return False


def _by_key(digest: bytes, signature: bytes, key: tuple[bytes, bytes]) -> bool:
    """Whether that P-256 key signed, by code of our own; of two signatures the one with the low s."""
    low = int.from_bytes(signature[32:64], "big") <= p256.ORDER // 2
    return low and p256.answer(digest + signature + key[0] + key[1]) != b""


def _key_of(node: Node, meter: str, block: str) -> tuple[bytes, bytes] | None:
    """The P-256 key that a meter's contract shows; None where it shows none."""
    shown = node.views([(meter, _X), (meter, _Y)], block)
    if all(isinstance(each, bytes) and len(each) == 32 for each in shown):
        return shown[0], shown[1]  # type: ignore[return-value]
    return None


def _code_at(node: Node, meter: str, block: str) -> bytes:
    return node.read(data_of, "eth_getCode", meter, block_parameter(block))
