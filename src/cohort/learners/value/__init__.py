"""Q-learning on utilities, mixed or not."""
