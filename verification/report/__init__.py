"""The invariant report: what `wattproof verify` runs, gathers and writes; see docs/report.md for its schema.

sources         what the source tree claims: invariants, clauses, contract lines, bytecode
campaign, live  run the trading day, the unit tests and the property tests, and show how far they are
parts           what `make evidence`, `make gas` and `make faults` measured, if it was of the same bytecode
document        all of it as one document, with a status for every invariant
failures        what failed, in whatever way: tests, processes, stages
counterexample  a failed history, call by call
attacks         of the search for profit the worst attack on each invariant
saved           the pytest file that shows a failure again
page, text      the document for people, by templates: HTML with charts in SVG, and Markdown
junit, sarif    the document for machines
schema          whether a document is laid out as schema.json says
compare         two reports
"""
