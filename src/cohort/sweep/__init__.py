"""Many runs from one command line, over a machine's cores or a Ray cluster."""
