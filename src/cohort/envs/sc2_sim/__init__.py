"""A StarCraft-free simulator of the SMAC maps: every battle of a batch advances in one tensor program."""
