"""Smart meters of both kinds, from where people look for them: see `wattproof.market.meters`."""

from wattproof.market.meters import Device, Meter, P256Meter

__all__ = ["Device", "Meter", "P256Meter"]
