"""JSON-RPC over HTTP: what is asked of a node, and what counts as an answer.

The address of a node is a secret but for its host: paths, queries, users and passwords are API keys. Whatever is said
about a node goes through `Address.said`, also where it is a library or the node itself that says it.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import queue
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from wattproof import documents

TIMEOUT = 30
"""Seconds for one answer, from looking up the host to the last byte."""

MAX_ANSWER = 2**20
"""Bytes of an answer that are read; the code of a contract comes to a twentieth."""

_MAX_SAID = 200
"""Characters of what others say in a message."""

_HINTS = {
    401: "is the key missing or wrong?",
    403: "is the key missing or wrong, or this method not allowed with it?",
    404: "is the path right?",
    405: "is it the RPC address?",
    429: "it was asked too often: wait, or take another node",
}

_ids = itertools.count(1)


class NodeUnusable(RuntimeError):
    """A node, its address or its answer cannot be used; the message is one line that says what to do."""


class RpcError(RuntimeError):
    """A node refused a request. `data` is what a reverting call answered, in hex, where it is one."""

    def __init__(self, method: str, error: Any) -> None:
        told = error if isinstance(error, Mapping) else {"message": error}
        super().__init__(f"{method}: {told.get('message')}")
        self.code: Any = told.get("code", 0)
        self.data: Any = told.get("data")


@dataclass(frozen=True)
class Address:
    """The address of a node, over HTTP. Only its host is ever shown.

    url       without user and password
    host      the name or number of the machine
    headers   what goes with each request: who asks, where the address says it
    """

    url: str
    host: str
    headers: tuple[tuple[str, str], ...]
    _secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<node at {self.host}>"

    @classmethod
    def of(cls, text: str) -> Address:
        """Reads an address such as https://host/key. Raises NodeUnusable where it is none."""
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            parts, host = None, None
        if parts is not None and parts.scheme in ("ws", "wss"):
            raise NodeUnusable(f"a node is asked over HTTP here, not over {parts.scheme}: give its https:// address")
        sound = text.isascii() and text.isprintable() and " " not in text
        if parts is None or not host or parts.scheme not in ("http", "https") or not sound:
            raise NodeUnusable("the RPC address is no URL of a node: write it as https://host/path or http://host:port")
        netloc = parts.netloc.rpartition("@")[2]
        url = parts._replace(netloc=netloc, fragment="").geturl()
        return cls(url, host, _headers(parts), _secrets(text, parts))

    def said(self, text: object) -> str:
        """What somebody said about this node, in one line, without any part of the address but the host."""
        line = "".join(letter if letter.isprintable() else " " for letter in str(text))
        for secret in self._secrets:
            # A short one may be part of any word.
            line = re.sub(re.escape(secret) if len(secret) > 3 else rf"(?<!\w){re.escape(secret)}(?!\w)", "…", line)
        line = " ".join(line.split())
        return line if len(line) <= _MAX_SAID else line[: _MAX_SAID - 1] + "…"


def _headers(parts: SplitResult) -> tuple[tuple[str, str], ...]:
    kind = ("Content-Type", "application/json")
    if parts.username is None:
        return (kind,)
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return kind, ("Authorization", "Basic " + base64.b64encode(who).decode())


def _secrets(text: str, parts: SplitResult) -> tuple[str, ...]:
    """Whatever of an address must not be shown, the longest first."""
    user, _, host = parts.netloc.rpartition("@")
    found = {text, user, parts.username, parts.password, parts.path, parts.query, parts.fragment}
    found |= set(parts.path.split("/")) | set(re.split("[&=;]", parts.query)) | {f"{parts.path}?{parts.query}"}
    found |= {unquote(part) for part in found if part}
    found |= {header.removeprefix("Basic ") for name, header in _headers(parts) if name == "Authorization"}
    # Without the host's own letters, and the slash that every address may end with.
    open_to_all = {"", "/", "?", "/?", host, f"{parts.scheme}://{host}", f"{parts.scheme}://{host}/"}
    return tuple(sorted((part for part in found if part and part not in open_to_all), key=len, reverse=True))


def ask(address: Address, method: str, *params: Any) -> Any:
    """The result of one JSON-RPC call. Raises NodeUnusable where there is none."""
    question = request(method, params)
    said = within(TIMEOUT, lambda: _post(address, json.dumps(question).encode()), address)
    try:
        return result(question, parsed(said))
    except RpcError as refusal:
        raise NodeUnusable(f"{address.host} refuses {address.said(refusal)}") from None
    except NodeUnusable as problem:
        raise NodeUnusable(f"{address.host} {problem}: is it the RPC address?") from None


def request(method: str, params: Any) -> dict[str, Any]:
    """A request, with an ID of its own."""
    return {"jsonrpc": "2.0", "id": next(_ids), "method": method, "params": list(params)}


def parsed(said: bytes, max_depth: int = documents.MAX_DEPTH) -> Any:
    """What a node answered. Raises NodeUnusable, worded to follow the node's name, where it is no JSON.

    `max_depth`: how many lists and objects may be inside one another.
    """
    try:
        return documents.parsed(said, max_depth)
    except ValueError:
        raise NodeUnusable(
            "answers with something that is not JSON" if said.strip() else "answers with nothing"
        ) from None


def result(question: Mapping[str, Any], answer: Any) -> Any:
    """The result in an answer to `question`.

    Raises RpcError where the node refuses; NodeUnusable, worded to follow the node's name, where it is no answer.
    """
    if not isinstance(answer, dict):
        raise NodeUnusable(f"does not answer {question['method']} as a node does")
    if answer.get("error") is not None:
        raise RpcError(question["method"], answer["error"])
    if "result" not in answer or answer.get("id") != question["id"]:
        raise NodeUnusable(f"does not answer {question['method']} as a node does")
    return answer["result"]


def code(address: Address, account: str) -> bytes:
    """The code of an account in the latest block. Raises NodeUnusable."""
    found = ask(address, "eth_getCode", account, "latest")
    if not isinstance(found, str) or not re.fullmatch(r"0x([0-9a-fA-F]{2})*", found):
        raise NodeUnusable(_odd(address, "eth_getCode", found, "hexadecimal digits in pairs"))
    return bytes.fromhex(found[2:])


def chain_id(address: Address) -> int:
    """The ID of the node's chain. Raises NodeUnusable."""
    found = ask(address, "eth_chainId")
    if not isinstance(found, str) or not re.fullmatch(r"0x[0-9a-fA-F]{1,64}", found):
        raise NodeUnusable(_odd(address, "eth_chainId", found, "a hexadecimal number"))
    return int(found, 16)


def _odd(address: Address, method: str, found: Any, wanted: str) -> str:
    shown = address.said(json.dumps(found))[:40]
    return f"{address.host} answers {method} with {shown}, not with 0x and {wanted}: take another node"


def within(seconds: float, work: Callable[[], Any], address: Address) -> Any:
    """What `work` returns or raises, if it does so in time; else NodeUnusable.

    A thread of its own: the time limit of a socket is for each of its bytes, and looking up a host has none.
    """
    done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def worked() -> None:
        try:
            done.put((work(), None))
        except BaseException as problem:
            done.put((None, problem))

    threading.Thread(target=worked, daemon=True).start()
    try:
        value, problem = done.get(timeout=seconds)
    except queue.Empty:
        raise NodeUnusable(
            f"{address.host} does not answer within {seconds} s: try again, or take another node"
        ) from None
    if problem is not None:
        raise problem
    return value


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A request that is sent on would become another, and take the key to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _post(address: Address, body: bytes) -> bytes:
    """The body of the answer. Raises NodeUnusable."""
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        question = urllib.request.Request(address.url, body, dict(address.headers))
        with opener.open(question, timeout=TIMEOUT) as response:
            said = response.read(MAX_ANSWER + 1)
    except urllib.error.HTTPError as problem:
        raise NodeUnusable(status_problem(address, problem.code)) from None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise NodeUnusable(
            f"{address.host} cannot be asked ({reason(address, problem)}): is it the RPC address?"
        ) from None
    if len(said) > MAX_ANSWER:
        raise NodeUnusable(f"{address.host} answers with more than {MAX_ANSWER:,} bytes: is it the RPC address?")
    return said


def status_problem(address: Address, status: int) -> str:
    """What is wrong with an HTTP status, and what to do, in one line."""
    if 300 <= status < 400:
        hint = "it sends on to another address: give that one"
    else:
        hint = _HINTS.get(status) or (
            "try again later, or take another node" if status >= 500 else "is it the RPC address?"
        )
    phrase = http.client.responses.get(status, "")
    return f"{address.host} answers HTTP {status}{' ' if phrase else ''}{phrase}: {hint}"


def reason(address: Address, problem: BaseException) -> str:
    """Why a node could not be asked, in a few words."""
    inner = getattr(problem, "reason", problem)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return address.said(f"its TLS certificate is not trusted: {inner.verify_message}")
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, http.client.IncompleteRead):
        return "it broke off in the middle of the answer"
    if isinstance(inner, http.client.HTTPException) and not isinstance(inner, http.client.RemoteDisconnected):
        return "it does not speak HTTP"
    if isinstance(inner, OSError) and inner.strerror:
        return address.said(inner.strerror)
    return address.said(inner)
