"""The Streamlit parts of the app. Nothing below this package imports Streamlit."""
