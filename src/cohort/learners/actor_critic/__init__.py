"""Actors that climb a critic learned from replayed steps."""
