"""The process that is the parent of every long-lived child of one runner.

The runner starts it with a descriptor, a SOCK_SEQPACKET socket to the runner, and its own
process id. The socket is the leash: once the runner is gone, however it went, the
children are ended, what they and the runner left is removed, and this process exits.

This package stands alone: it runs in an interpreter that knows nothing of the library
around it. It imports the C modules below socket and signal, no json and no typing: it is
up in half the time so, and the start of a VM waits for it.

Messages are marshalled dictionaries, one a packet. From the runner:

========  ============================================================================
do        further keys
========  ============================================================================
spawn     id, argv, stdout, stderr, environment, directory, numbers, terminal; the
          descriptors come with it, in the order of the `numbers` under which the child
          sees them; with `terminal`, its standard input is one, and controls it
kill      id of a child to kill at once
keep      id of a child that outlives the runner, and the directories to remove when it ends
notebook  path and mark of a directory in which each undo is noted on disk
remove    path of a directory to remove if the runner dies
undo      id, argv of a command to run if the runner dies, or closes
forget    id of an undo that is not needed any more
close     end the children, undo, exit; the runner removes its directories itself. With
          children that are kept, the socket is closed once the others have ended
========  ============================================================================

To the runner: ``{started: id, pid, start_time}`` with a pidfd, ``{failed: id, stage,
errno}``, ``{exited: id, code}`` and ``{noted: id}`` for an undo.
"""
