"""PyMARL's and EPyMARL's files and command lines: what their keys are called here, and what to type instead.

`table.py` is the table, as data; `translation.py` applies it to what is not ours: files given by path, typed words.
docs/from_pymarl.md shows it to people.
"""
