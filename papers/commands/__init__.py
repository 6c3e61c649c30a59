"""`run.py figure`, `claims` and `table`."""
