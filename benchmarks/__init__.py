"""What each hot operation costs, as a ratio to a floor taken in the same run."""
