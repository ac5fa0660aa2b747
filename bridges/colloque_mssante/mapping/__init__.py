"""Mail to Matrix and back: what is written, whom it goes to, how it is shown."""
