"""One virtual machine, and all of them: life cycle, names, scopes, artifacts."""
