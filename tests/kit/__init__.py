"""What tests and the scripts of this repository share."""
