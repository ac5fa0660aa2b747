"""The ways in which people prove who they are."""
