"""The data API from Python: lists with their types, a pandas frame for each, and signed transactions.

>>> from wattproof.client import Client
>>> client = Client("http://127.0.0.1:8080")  # doctest: +SKIP
>>> client.frames.trades(period=867262)  # doctest: +SKIP
"""

from wattproof.client.client import Client
from wattproof.client.http import ApiError

__all__ = ["ApiError", "Client"]
