"""Training the classifiers of a study, and keeping what they predict."""
