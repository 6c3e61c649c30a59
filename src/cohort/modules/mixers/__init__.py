"""Mixers: one joint action value from the agents' utilities."""

from cohort.registry import Registry

MIXERS = Registry(
    "mixer",
    {
        "independent": "cohort.modules.mixers.simple:IndependentMixer",
        "vdn": "cohort.modules.mixers.simple:VDNMixer",
        "linear": "cohort.modules.mixers.linear:LinearMixer",
        "qmix": "cohort.modules.mixers.qmix:QMIXMixer",
        "fop": "cohort.modules.mixers.fop:FOPMixer",
        "mnmpg": "cohort.modules.mixers.decoded:DecodedMixer",
    },
)
