"""A market on a chain beyond this process: nodes by JSON-RPC, keys, sending, and what was deployed where."""
