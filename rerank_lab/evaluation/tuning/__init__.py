"""Options of a pipeline, searched on one half of the queries and reported on the other."""
