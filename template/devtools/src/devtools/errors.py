class DevtoolsError(Exception):
    """Its message is for the person at the terminal: one sentence that says what to do."""
