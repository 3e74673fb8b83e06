"""How well expression is read: against drawn truth, on real video, and at rest."""
