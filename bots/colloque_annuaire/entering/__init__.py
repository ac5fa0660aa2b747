"""The page `/entrer`, and the one-time passwords that it gives."""
