"""Critics: joint action values that actors climb."""

from cohort.registry import Registry

CRITICS = Registry(
    "critic",
    {
        "attention": "cohort.modules.critics.attention:AttentionCritic",
        "joint_mlp": "cohort.modules.critics.joint:JointCritic",
    },
)
