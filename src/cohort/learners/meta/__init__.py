"""Learning to learn among learning peers."""
