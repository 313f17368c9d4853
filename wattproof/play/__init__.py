"""A market to play with, in a script, a notebook or at the REPL: its people by name, amounts as people say them.

Nothing here imports IPython, which only `wattproof.repl` needs.
"""
