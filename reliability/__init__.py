"""The proof that runs leave nothing behind and that whatever goes wrong is told."""
