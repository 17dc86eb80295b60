"""The machinery that measures: jobs in fresh processes, comparisons of peers, tables and pictures."""
