"""The keywords, one component for each family: signature, documentation, conversion, logging."""
