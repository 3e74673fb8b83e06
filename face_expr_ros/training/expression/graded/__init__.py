"""The learned fusion: what it learns from graded portraits and from rendered faces at once."""
