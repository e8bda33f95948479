"""From the files of an app to functions that can run."""
