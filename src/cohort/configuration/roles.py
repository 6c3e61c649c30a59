"""The components a run may have: where each is looked up, and what must agree between them. Data only."""

from cohort.components import MEMORIES
from cohort.controllers import ACTION_SELECTORS, CONTROLLERS, HEADS
from cohort.envs import ENVS
from cohort.learners import LEARNERS
from cohort.modules.agents import AGENTS
from cohort.modules.critics import CRITICS
from cohort.modules.mixers import MIXERS
from cohort.runners import RUNNERS
from cohort.trainers import TRAINERS

# the keys that choose a component, and where its name is looked up
ROLES = {
    "env": ENVS,
    "runner": RUNNERS,
    "mac": CONTROLLERS,
    "head": HEADS,
    "agent": AGENTS,
    "action_selector": ACTION_SELECTORS,
    "mixer": MIXERS,
    "role_mixer": MIXERS,
    "critic": CRITICS,
    "learner": LEARNERS,
    "memory": MEMORIES,
    "trainer": TRAINERS,
}
# of these a run has those that its learner names in `parts`
LEARNER_PARTS = ("mixer", "role_mixer", "critic")
# (role, role that must fit it, the class attribute that both have): the attributes' values must meet. A class says
# one value or a tuple of all that it accepts; a class without the attribute fits everything.
COMPATIBLE = (
    ("learner", "trainer", "subject"),
    ("learner", "head", "policy_kind"),
    ("learner", "runner", "learns_from"),
    ("learner", "critic", "policy_kind"),
    ("learner", "critic", "critic_values"),
    ("learner", "agent", "weights"),
    ("learner", "agent", "recurrent"),
    ("head", "action_selector", "policy_kind"),
)
# A class names in `requires_of_<role>` what the component of that role must name in `provides`; both are tuples of
# words: `requires_of_learner = ("meta_step",)` of a trainer, `provides = ("meta_step",)` of a learner.
REQUIRES = "requires_of_"
PROVIDES = "provides"
SIDES = "sides"  # what trainers provide that can teach the sides of `teams`
