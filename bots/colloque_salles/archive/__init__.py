"""What of a closed room goes to its referent, and the proof that it was kept."""
