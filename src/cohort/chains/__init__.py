"""Markov chains of joint policies: play, let everybody learn, play again (Meta-MAPG, section 2.1).

Letters: C chains side by side, L updates in each, K matches under each joint policy, T steps of a match, N agents,
S states, A actions. Agent 0 is the one that learns to learn; the others are its peers.
"""
