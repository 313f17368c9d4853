"""Criterion 2: the code is the terms, compiled. Lockstep with the model over every entry point, valid and invalid."""

from __future__ import annotations

from tests.properties.machine import MarketMachine


class Terms(MarketMachine):
    """Contract and model agree on everything that comes of any call."""

    strict = True
    season_names = ("fresh", "no fee", "dear", "poor", "seasoned", "waivers", "arrears", "full book")


TestTerms = Terms.TestCase
