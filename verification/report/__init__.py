"""The invariant report: what `wattproof verify` runs, gathers and writes; see docs/report.md for its schema.

sources      what the source tree claims: invariants, clauses, contract lines, revision, bytecode
campaign     runs the trading day, the unit tests and the property tests, and shows how far they are
parts        what `make evidence`, `make gas` and `make faults` measured, if it was of the same bytecode
evidence     all of it as one document, with a status for every invariant
story        a failed history, call by call
attacks      of the search for profit the worst attack on each invariant
saved        the pytest file that shows a failure again
page, charts, text, junit, sarif   the document for people and for machines
compare      two reports
onchain      whether a deployed market is the one that a report is about
"""
