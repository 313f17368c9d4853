"""The page: static files, which read the API."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, current_app

routes = APIBlueprint("page", __name__, enable_openapi=False)


@routes.get("/")
def index() -> Response:
    return current_app.send_static_file("index.html")
