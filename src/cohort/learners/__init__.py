"""Learners: each turns a batch of episodes into one update. One file per method."""

from cohort.registry import Registry

LEARNERS = Registry(
    "learner",
    {
        "adama_learner": "cohort.learners.actor_critic.adama_learner:AdaMaLearner",
        "adama_maac_learner": "cohort.learners.actor_critic.adama_maac_learner:AdaMaMAACLearner",
        "lola_dqn_learner": "cohort.learners.actor_critic.lola_dqn_learner:LOLADQNLearner",
        "maac_learner": "cohort.learners.actor_critic.maac_learner:MAACLearner",
        "mamd_learner": "cohort.learners.actor_critic.mamd_learner:MAMDLearner",
        "mamt_ppo_learner": "cohort.learners.actor_critic.mamt_ppo_learner:MAMTPPOLearner",
        "mamt_learner": "cohort.learners.actor_critic.mamt_learner:MAMTLearner",
        "maddpg_adagrad_learner": "cohort.learners.actor_critic.maddpg_adagrad_learner:MADDPGAdagradLearner",
        "maddpg_discrete_learner": "cohort.learners.actor_critic.maddpg_discrete_learner:DiscreteMADDPGLearner",
        "maddpg_learner": "cohort.learners.actor_critic.maddpg_learner:MADDPGLearner",
        "dop_learner": "cohort.learners.factored.dop_learner:DOPLearner",
        "facmac_learner": "cohort.learners.factored.facmac_learner:FACMACLearner",
        "facmac_continuous_learner": "cohort.learners.factored.facmac_learner:ContinuousFACMACLearner",
        "facmac_steps_learner": "cohort.learners.factored.facmac_learner:StepsFACMACLearner",
        "fop_learner": "cohort.learners.factored.fop_learner:FOPLearner",
        "joint_policy_gradient_learner": (
            "cohort.learners.meta.joint_policy_gradient_learner:JointPolicyGradientLearner"
        ),
        "lola_dice_learner": "cohort.learners.meta.lola_dice_learner:LOLADiCELearner",
        "meta_mapg_exact_learner": "cohort.learners.meta.meta_mapg_exact_learner:MetaMAPGExactLearner",
        "meta_mapg_learner": "cohort.learners.meta.meta_mapg_learner:MetaMAPGLearner",
        "meta_mapg_om_learner": "cohort.learners.meta.meta_mapg_om_learner:MetaMAPGOMLearner",
        "ader_learner": "cohort.learners.factored.ader_learner:ADERLearner",
        "ader_continuous_learner": ("cohort.learners.factored.ader_continuous_learner:ADERContinuousLearner"),
        "ader_steps_learner": "cohort.learners.factored.ader_continuous_learner:ADERStepsLearner",
        "coma_learner": "cohort.learners.policy_gradient.coma_learner:COMALearner",
        "lica_learner": "cohort.learners.policy_gradient.lica_learner:LICALearner",
        "ppo_learner": "cohort.learners.policy_gradient.ppo_learner:PPOLearner",
        "vdac_learner": "cohort.learners.policy_gradient.vdac_learner:VDACLearner",
        "q_learner": "cohort.learners.value.q_learner:QLearner",
        "hierarchical_q_learner": "cohort.learners.value.hierarchical_q_learner:HierarchicalQLearner",
        "weighted_q_learner": "cohort.learners.value.weighted_q_learner:WeightedQLearner",
        "mnmpg_learner": "cohort.learners.value.mnmpg_learner:MNMPGLearner",
        "rode_learner": "cohort.learners.value.rode_learner:RODELearner",
        "mnmpg_rode_learner": "cohort.learners.value.mnmpg_rode_learner:MNMPGRODELearner",
        "reinforce_learner": "cohort.learners.meta.reinforce_learner:ReinforceLearner",
    },
)
