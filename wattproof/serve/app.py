"""The application: routes, errors in one line, limits, and headers that let a browser load nothing from elsewhere."""

from __future__ import annotations

import logging
import math
from typing import Any

from apiflask import APIFlask
from apiflask.exceptions import _ValidationError
from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException

from wattproof import __version__, documents
from wattproof.chain.record import Record
from wattproof.evm.rpc import Address, NodeUnusable
from wattproof.serve import docs
from wattproof.serve.limits import MAX_BODY, Buckets, Rate, Slots, client_of
from wattproof.serve.problems import Problem, unfit
from wattproof.serve.routes import chain, figures, market, page, people, status, watcher
from wattproof.serve.served import EXTENSION, Served, served
from wattproof.store.database import Store
from wattproof.store.problems import StoreProblem

MAX_STREAMS = 8
"""Streams at once. Each holds a thread of the server (`wattproof.serve.server.THREADS`)."""

MAX_ASKING = 8
"""Requests that wait for the node at once; each holds a thread of the server, too."""

POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

WRITE_COST = 5
"""What a request that asks the node counts for, in requests."""

_log = logging.getLogger("wattproof.serve")


def create_app(
    store_url: str,
    record: Record,
    node: Address | None = None,
    rate: Rate | None = None,
    max_streams: int = MAX_STREAMS,
) -> APIFlask:
    """The application that serves the market of `record` from the database at `store_url`.

    Without `node`, transactions are neither made nor relayed (503). `rate` bounds what one client asks. Raises
    StoreProblem where the database cannot be used, or nobody watched the market into it yet.
    """
    store = Store.open(store_url, make=False)
    app = APIFlask("wattproof.serve", title="Wattproof", version=__version__, docs_path=None, static_folder="static")
    app.extensions[EXTENSION] = Served(
        store, store.watched(record), record, node, Buckets(rate or Rate()), Slots(max_streams), Slots(MAX_ASKING)
    )
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY, SEND_FILE_MAX_AGE_DEFAULT=300, LOCAL_SPEC_PATH=None, AUTO_404_RESPONSE=False
    )
    app.url_map.merge_slashes = False  # No redirects: they would name whatever host was asked for.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.description = "A peer-to-peer energy market as its watcher saw it. No keys here, no personal data."
    app.before_request(_check)
    app.after_request(_sealed)
    for blueprint in (status, market, people, figures, watcher, chain, page):
        app.register_blueprint(blueprint.routes)
    docs.add(app)
    _tell_errors(app)
    return app


def _check() -> None:
    """Before any route: may the client ask, and is what it sends JSON?"""
    posts = request.method == "POST"
    wait = served().buckets.take(client_of(request.remote_addr), WRITE_COST if posts else 1)
    if wait:
        after = math.ceil(wait)
        raise Problem(429, f"asked too often: wait {after} s", {"Retry-After": str(after)})
    if not posts or request.endpoint is None or request.routing_exception is not None:
        return
    if request.mimetype != "application/json":
        raise Problem(415, "send JSON, with the header Content-Type: application/json")
    try:
        found = documents.parsed(request.get_data(cache=True), parse_constant=_no_constant)
    except ValueError:
        raise Problem(400, "the body is not JSON") from None
    if not isinstance(found, dict):
        raise Problem(422, "the body must be an object, as in {}")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _sealed(response: Response) -> Response:
    """After any route: what a browser may do with the answer."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype == "application/json":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


# ---- errors ----------------------------------------------------------------------------------


def _tell_errors(app: APIFlask) -> None:
    """Every error is JSON with one line."""

    @app.error_processor
    def from_apiflask(error: Any) -> Any:
        if isinstance(error, _ValidationError):
            return _told(unfit(_lines(error.detail)))
        return _told(Problem(error.status_code, error.message))

    app.register_error_handler(Problem, _told)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(NodeUnusable, lambda problem: _told(Problem(503, str(problem))))
    app.register_error_handler(StoreProblem, _database)


def _told(problem: Problem) -> Response:
    response = jsonify(problem.body())
    response.status_code = problem.status
    response.headers.update(problem.headers)
    return response


_HTTP = {
    404: "no such route: they are listed at /docs",
    405: "this route does not take that method: see /docs",
    413: f"a body has at most {MAX_BODY} bytes",
    415: "send JSON, with the header Content-Type: application/json",
}


def _http(error: HTTPException) -> Response | HTTPException:
    code = error.code or 500
    if code < 400:  # A redirect.
        return error
    response = _told(Problem(code, _HTTP.get(code, error.name.lower())))
    if code == 405 and (allowed := getattr(error, "valid_methods", None)):
        response.headers["Allow"] = ", ".join(allowed)
    return response


def _database(problem: StoreProblem) -> Response:
    _log.warning("%s", problem)  # Where the database lies is the operator's business.
    return _told(Problem(503, "the database cannot be used now: try again in a few seconds", {"Retry-After": "5"}))


def _lines(messages: Any, prefix: str = "") -> dict[str, str]:
    """A line for each argument, from marshmallow's nested messages, which have the argument's place first."""
    found: dict[str, str] = {}
    for name, said in messages.items():
        if isinstance(said, dict):
            inner = "" if not prefix and name in ("query", "json", "path") else f"{prefix}{name}."
            found |= _lines(said, inner)
        else:
            key = prefix.removesuffix(".") if name == "_schema" else f"{prefix}{name}"
            found[str(key)[:80] or "body"] = "; ".join(str(line) for line in said)
    return found
