"""What is logged, from which level on, and how text of others is written."""
