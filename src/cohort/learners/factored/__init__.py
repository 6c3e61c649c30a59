"""Actors that climb a critic which is mixed from one critic for each agent: ADER, FACMAC, FOP, DOP."""
