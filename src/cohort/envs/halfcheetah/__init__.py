"""2-agent HalfCheetah (Meta-MAPG, section 5, question 8): one robot, each leg an agent's."""
