"""The embedded video model: `mini`'s encoder, correspondence, history and a small fusion."""
