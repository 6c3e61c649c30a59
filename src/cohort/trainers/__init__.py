"""Trainers: they decide when to collect, what to keep and when to update."""

from cohort.registry import Registry

TRAINERS = Registry(
    "trainer",
    {
        "on_policy": "cohort.trainers.on_policy:OnPolicyTrainer",
        "off_policy": "cohort.trainers.off_policy:OffPolicyTrainer",
        "mixed_replay": "cohort.trainers.mixed_replay:MixedReplayTrainer",
        "meta_learning": "cohort.trainers.meta_learning:MetaLearningTrainer",
        "pretraining": "cohort.trainers.pretraining:PretrainingTrainer",
        "meta_mixing": "cohort.trainers.meta_mixing:MetaMixingTrainer",
    },
)
