"""What is set about an app, and where."""
