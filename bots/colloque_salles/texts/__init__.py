"""What @salles says, in French; one file a matter."""
