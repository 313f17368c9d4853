"""The management node's daemon: it matches, hands readings in and settles."""
