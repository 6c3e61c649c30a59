"""Mixers: one joint action value from the agents' utilities."""

from src.registry import Registry

MIXERS = Registry(
    "mixer",
    {
        "independent": "src.modules.mixers.simple:IndependentMixer",
        "vdn": "src.modules.mixers.simple:VDNMixer",
        "qmix": "src.modules.mixers.qmix:QMIXMixer",
        "mnmpg": "src.modules.mixers.decoded:DecodedMixer",
    },
)
