"""Policies that leave the program: one file that a runtime plays, and a JSON file that describes it."""
