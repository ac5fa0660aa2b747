"""The helper on Synapse's host, a process of its own."""
