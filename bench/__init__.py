"""The rendered service beside a tutorial's, and beside what the driver alone can do: as ratios."""
