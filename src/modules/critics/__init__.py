"""Critics: joint action values that actors climb."""

from src.registry import Registry

CRITICS = Registry(
    "critic",
    {
        "attention": "src.modules.critics.attention:AttentionCritic",
        "joint_mlp": "src.modules.critics.joint:JointCritic",
    },
)
