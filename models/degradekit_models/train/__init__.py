"""Training: schedules, schemes and the loop."""
