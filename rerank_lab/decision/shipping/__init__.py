"""What ships: a pipeline as files that run without the app. No pipeline is run here.

Every value that goes into a file is written by a library (YAML, JSON) or as a Python literal, so
that no name, query or option can become code.
"""
