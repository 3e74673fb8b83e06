"""Training of the learned fusion on graded portraits and rendered faces."""
