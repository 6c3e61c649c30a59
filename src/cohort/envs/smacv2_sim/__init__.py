"""SMACv2 without StarCraft: teams and places drawn anew for every episode, in `sc2_sim`'s battles."""
