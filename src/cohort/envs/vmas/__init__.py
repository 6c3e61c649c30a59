"""VMAS (arXiv:2207.03530): a batched simulator of robots and particles, whose tensors are this project's."""
