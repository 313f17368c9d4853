"""Breaks the contracts on purpose, one small change at a time, and sees the property suite notice.

`operators` lists every change of a source that one of its operators can make; `compiler` compiles a changed contract in
half the usual time; `trial` runs the suite against one of them, in a process of its own; `campaign` takes all of them
through it and keeps the record; `equivalents` reads which mutants cannot change behaviour, and why.
"""
