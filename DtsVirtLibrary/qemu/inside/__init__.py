"""What the library does inside a guest, through its agent."""
