"""The page of the API's routes, made from its OpenAPI document: plain HTML, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from apiflask import APIFlask
from flask import Response, make_response, redirect

_STYLE = """:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
code { font-size: 0.95em; overflow-wrap: anywhere; }
section { border-top: 1px solid; padding: 0.5rem 0; }
td, th { padding: 0.1rem 1rem 0.1rem 0; text-align: left; vertical-align: top; }
"""


def add(app: APIFlask) -> None:
    """Adds /docs, its style, and the way to it from where the routes begin."""

    @app.get("/docs")
    @app.doc(hide=True)
    def page() -> Response:
        return make_response(_page(app.spec))  # type: ignore[arg-type]

    @app.get("/api/v1")
    @app.get("/api/v1/")
    @app.doc(hide=True)
    def begin() -> Any:
        return redirect("/docs")

    @app.get("/docs.css")
    @app.doc(hide=True)
    def style() -> Response:
        return Response(_STYLE, mimetype="text/css")


def _page(spec: dict[str, Any]) -> str:
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Wattproof: the data API</title>',
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs.css">',
        "</head><body><main>",
        f"<h1>{escape(spec['info']['title'])}: the data API</h1><p>{escape(spec['info'].get('description', ''))}</p>",
        '<p>As a document for programs: <a href="/openapi.json">/openapi.json</a>.</p>',
    ]
    for path, methods in spec["paths"].items():
        for method, told in methods.items():
            if isinstance(told, dict):
                parts.append(_route(method.upper(), path, told, spec))
    return "".join((*parts, "</main></body></html>\n"))


def _route(method: str, path: str, told: dict[str, Any], spec: dict[str, Any]) -> str:
    asked = [(one["name"], one.get("description", "")) for one in told.get("parameters", ())]
    answered = _fields(told["responses"].get("200") or told["responses"].get("202") or {}, spec)
    return (
        f"<section><h2><code>{method} {escape(path)}</code></h2><p>{escape(told.get('summary', ''))}</p>"
        f"{_table('Arguments', asked)}{_table('Answer', answered)}</section>"
    )


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{escape(says)}</td></tr>" for name, says in rows)
    return (
        f"<h3>{title}</h3><table><thead><tr><th>name</th><th>what it is</th></tr></thead><tbody>{lines}</tbody></table>"
    )


def _fields(response: dict[str, Any], spec: dict[str, Any]) -> list[tuple[str, str]]:
    """The fields of an answer; those of a list's rows, where it is a list."""
    schema = _resolved(response.get("content", {}).get("application/json", {}).get("schema", {}), spec)
    members = schema.get("properties", {})
    if "items" in members:
        members = _resolved(members["items"].get("items", {}), spec).get("properties", {})
    return [(name, member.get("description", "")) for name, member in members.items()]


def _resolved(schema: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return spec["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
