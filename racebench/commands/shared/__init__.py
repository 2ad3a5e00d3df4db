"""Code that several verbs share: option groups, output, campaigns, stored runs."""
