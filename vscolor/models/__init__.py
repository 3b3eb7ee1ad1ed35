"""Colour models: their interfaces, the registry and the models themselves."""
