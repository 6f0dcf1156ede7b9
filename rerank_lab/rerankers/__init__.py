"""Rerankers, a module a family.

What several families share is in base, joint_scoring and long_documents.
"""
