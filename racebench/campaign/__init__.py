"""Cells x modes x budgets: runs them, stores them, and reads them back."""
