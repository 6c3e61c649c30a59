"""Reading runs: lists, comparisons, figures and exports of run folders or of MongoDB."""
