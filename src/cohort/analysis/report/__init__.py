"""`run.py report`: one HTML page that says of runs what the other commands say, and needs no network."""
