"""Runs that are killed, starved, left to rot and lied to, again and again, and compared with runs left alone.

python -m tests.soak --minutes 60
"""
