"""What made the embedded models: data, objectives, loops and scores."""
