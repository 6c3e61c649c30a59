"""Games that are not tensor programs: each runs in a worker process of its own, B of them look like one environment."""
