"""Training of the embedded models: data, objectives, loops and evaluation."""
