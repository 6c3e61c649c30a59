"""From YAML files and what was typed to validated settings of every component."""
