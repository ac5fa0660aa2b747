"""What happens to accounts over the years, until they end."""
