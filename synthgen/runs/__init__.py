"""Everything that lies on disk: run folders, receipts, shards, verdicts, dataset folders."""
