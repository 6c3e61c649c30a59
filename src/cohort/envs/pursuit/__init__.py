"""PettingZoo's Pursuit as one tensor program over many games."""
