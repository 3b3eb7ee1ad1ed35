"""Colour models: contracts, registry and the models themselves."""
