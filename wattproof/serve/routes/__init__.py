"""The routes of the API, a file per kind of question."""
