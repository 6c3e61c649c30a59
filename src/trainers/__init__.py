"""Trainers: they decide when to collect, what to keep and when to update."""

from src.registry import Registry

TRAINERS = Registry(
    "trainer",
    {
        "off_policy": "src.trainers.off_policy:OffPolicyTrainer",
        "meta_learning": "src.trainers.meta_learning:MetaLearningTrainer",
        "pretraining": "src.trainers.pretraining:PretrainingTrainer",
        "meta_mixing": "src.trainers.meta_mixing:MetaMixingTrainer",
    },
)
