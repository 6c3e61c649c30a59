"""Particle worlds: points on a plane, B games of them in one tensor."""
