"""The real StarCraft II, through oxwhirl's smac: every game in a worker process of its own."""
