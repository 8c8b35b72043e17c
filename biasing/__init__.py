"""Contextual biasing: contacts, devices and what is on the screen."""
