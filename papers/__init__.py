"""Figures, tables and claims of published papers, made again from recorded runs; README.md says how to add one."""
