"""Critics: joint action values that actors climb."""

from src.registry import Registry

CRITICS = Registry("critic", {"joint_mlp": "src.modules.critics.joint:JointCritic"})
