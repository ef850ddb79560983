"""The guest agent of one VM: its wire, what it can be asked, and when it is there."""
