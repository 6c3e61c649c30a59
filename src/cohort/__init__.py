"""Cohort: an experiment runner for multi-agent reinforcement learning (see docs/architecture.md)."""
