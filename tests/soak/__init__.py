"""Long runs against real processes that get killed at random: `make soak ONLY=house KILLS=N [SEED=S]`."""
