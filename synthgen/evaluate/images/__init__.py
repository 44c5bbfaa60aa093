"""The images of a study: where they lie, and what each is."""
