"""A search of hyper-parameters: a sweep whose runs are proposed one trial after the other."""
