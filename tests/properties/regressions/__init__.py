"""Failures that were found, here or elsewhere, each kept as a property."""
