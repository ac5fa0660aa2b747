"""From what is written in a room to the outbox."""
