"""Wattproof: a peer-to-peer energy market whose every promise is a tested property."""

__version__ = "0.1.0"
