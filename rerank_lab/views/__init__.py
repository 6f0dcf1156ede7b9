"""Pure view models: results in, rows and sentences out. Every number on the screen is made here."""
