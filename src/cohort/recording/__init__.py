"""A run's record: its folder, metrics, mirrors, checkpoints, console and curve.

`metrics.jsonl` is the truth; Sacred, TensorBoard and the console are mirrors that may be lost without harm.
"""
