"""Learners: each turns a batch of episodes into one update. One file per method."""

from src.registry import Registry

LEARNERS = Registry(
    "learner",
    {
        "adama_learner": "src.learners.adama_learner:AdaMaLearner",
        "adama_maac_learner": "src.learners.adama_maac_learner:AdaMaMAACLearner",
        "maac_learner": "src.learners.maac_learner:MAACLearner",
        "maddpg_adagrad_learner": "src.learners.maddpg_adagrad_learner:MADDPGAdagradLearner",
        "maddpg_learner": "src.learners.maddpg_learner:MADDPGLearner",
        "joint_policy_gradient_learner": "src.learners.joint_policy_gradient_learner:JointPolicyGradientLearner",
        "lola_dice_learner": "src.learners.lola_dice_learner:LOLADiCELearner",
        "meta_mapg_exact_learner": "src.learners.meta_mapg_exact_learner:MetaMAPGExactLearner",
        "meta_mapg_learner": "src.learners.meta_mapg_learner:MetaMAPGLearner",
        "meta_mapg_om_learner": "src.learners.meta_mapg_om_learner:MetaMAPGOMLearner",
        "q_learner": "src.learners.q_learner:QLearner",
        "hierarchical_q_learner": "src.learners.hierarchical_q_learner:HierarchicalQLearner",
        "mnmpg_learner": "src.learners.mnmpg_learner:MNMPGLearner",
        "reinforce_learner": "src.learners.reinforce_learner:ReinforceLearner",
    },
)
