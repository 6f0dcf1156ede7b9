"""Work in the background: the job table and its lanes."""
