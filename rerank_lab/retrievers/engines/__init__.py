"""First stages that ask the user's own search engine or vector database, a module an engine.

Clients of engines are optional packages and imported where they are used. Nothing is copied here.
"""
