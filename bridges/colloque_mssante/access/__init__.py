"""Who is verified, which mailboxes are theirs, and what opens these."""
