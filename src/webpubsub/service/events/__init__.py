"""Events: who takes what, and how it gets there."""
