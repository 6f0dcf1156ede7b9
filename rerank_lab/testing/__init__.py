"""Contracts, fake components and servers for tests, of this project and of plugins."""
