"""The token at an address of a chain, as it describes itself through JSON-RPC."""

from __future__ import annotations

from wattproof.chain.market import code_of
from wattproof.chain.node import Node, Reverted, RpcError
from wattproof.market.tokens import Token, described


def token_at(node: Node, address: str) -> Token:
    """The ERC-20 at an address. Raises as `Node.call`; UnusableToken where there is none."""

    def ask(data: bytes) -> bytes:
        try:
            return node.view(address, data)
        except Reverted:
            return b""
        except RpcError as refusal:
            if "gas" in str(refusal).lower():  # It never ends.
                return b""
            raise

    return described(address, bool(code_of(node, address)), ask)
