"""Whether synthetic images help a classifier, for whom, and how sure that is: a study over arms, sizes and seeds."""
