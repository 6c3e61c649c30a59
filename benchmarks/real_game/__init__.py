"""Our simulator's win rates beside published ones of the real StarCraft II."""
