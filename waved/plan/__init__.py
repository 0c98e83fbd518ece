"""What a user writes: the plan's models, loading with good errors, lint, templates, JSON schema."""
