"""What several verbs share: option groups, where they print and write, campaigns, stored runs."""
