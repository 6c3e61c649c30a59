"""What the paper shows and says, from recorded runs."""
