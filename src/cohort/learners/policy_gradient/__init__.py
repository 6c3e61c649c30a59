"""Policy gradients from what the present policy has just played."""
