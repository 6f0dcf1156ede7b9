"""Use cases, one function each: the only door for the app, the command line and the server."""
