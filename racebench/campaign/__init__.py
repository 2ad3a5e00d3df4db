"""Run cells (in modes, within budgets), store the results and read them back."""
