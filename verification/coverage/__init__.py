"""Which edges of the compiled contracts the tests really run: `wattproof edges`.

Coverage by program counters on py-evm: both edges of every conditional jump of the bytecode, and every source line,
through the compiler's source map. `code` knows the bytecode, `campaign` runs the tests, watches and reports.
"""
