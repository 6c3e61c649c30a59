"""Environments of other libraries: PettingZoo's parallel ones, multi-agent Gymnasium, multi-agent MuJoCo."""
