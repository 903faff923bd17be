"""The tasks, by what they are about; `monitoring_app.tasks.checks` runs in a queue of its own."""
