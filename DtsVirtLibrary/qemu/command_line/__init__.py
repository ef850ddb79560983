"""The command line: a pure function of the VM, the binary, the host and the places."""
