"""All SQL: the outbox of what is sent, the history of what happened, the queue of signed orders."""
