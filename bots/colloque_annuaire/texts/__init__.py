"""What @annuaire says, in French; one file a matter."""
