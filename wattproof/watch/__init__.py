"""A watcher of a market on a chain: every call is compared with the model of the terms, every block with its state."""
