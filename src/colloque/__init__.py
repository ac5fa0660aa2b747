"""Colloque: one verified identity for instant messages and MSSanté mail.

The base install has no dependency, so that it can live in Synapse's environment.
"""

__version__ = "0.1.0"
