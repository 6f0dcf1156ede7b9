"""The Label page: setting up, judging, and the lead's view."""
