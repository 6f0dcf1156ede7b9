"""Running models with torch."""
