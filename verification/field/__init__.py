"""Measurements of what speaks with chains."""
