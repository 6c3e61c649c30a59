"""Critics: joint action values that actors climb."""

from cohort.registry import Registry

CRITICS = Registry(
    "critic",
    {
        "attention": "cohort.modules.critics.attention:AttentionCritic",
        "attention_value": "cohort.modules.critics.attention_value:AttentionValueCritic",
        "counterfactual": "cohort.modules.critics.counterfactual:CounterfactualCritic",
        "individual": "cohort.modules.critics.individual:IndividualCritic",
        "individual_action": "cohort.modules.critics.individual:IndividualActionCritic",
        "individual_state": "cohort.modules.critics.individual:IndividualStateCritic",
        "lica": "cohort.modules.critics.lica:LICACritic",
        "state_value": "cohort.modules.critics.state_value:StateValueCritic",
        "own_joint_mlp": "cohort.modules.critics.own_joint:OwnJointCritic",
        "pair_mlp": "cohort.modules.critics.own_joint:PairCritic",
        "joint_mlp": "cohort.modules.critics.joint:JointCritic",
    },
)
