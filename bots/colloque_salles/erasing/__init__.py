"""The job that erases, looks again, and writes the receipt."""
