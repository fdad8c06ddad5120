"""The bench: what a machine makes of the jobs, measured from outside and set beside the budgets of the design."""
