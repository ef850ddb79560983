*** Settings ***
Documentation       A QEMU that somebody else ends: whatever is under way is told so at once, with
...                 the signal and that it was not the library's; nothing is left, and to stop
...                 the VM is no failure.

Resource            ../resources/guest.resource
Library             ../resources/ControlGroups.py
Library             ../resources/Failures.py
Library             SSHLibrary

Test Teardown       Run Keywords    Unfreeze    AND    Stop All VMs    timeout=0 s
Test Timeout        4 min

Test Tags           faults


*** Test Cases ***
An Idle QEMU Is Killed
    [Documentation]    The next keyword tells, each time; a stop is quiet.
    [Tags]    fault-51    fault-56
    Create VM    vm0    mem=size=64
    Start VM    vm0    wait_for=process    warm=False
    Send Signal To QEMU Of    vm0    SIGKILL
    ${error} =    Should Fail Saying    VmDied
    ...    VM 'vm0': its process ended; 'Run QMP Command' needs it running. It was killed from outside: *
    ...    Run QMP Command    vm0    query-status
    Should Contain    ${error}    this library did not send that signal
    Should Contain    ${error}    Process ended: signal SIGKILL (9)
    Should Fail Saying    VmDied    *'VM Should Not Have Crashed'*    VM Should Not Have Crashed    vm0
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    already stopped
    Nothing Should Be Left Of This Run

QEMU Is Killed Under An SSH Session
    [Documentation]    The session ends at once, and the next keyword says why.
    [Tags]    fault-51
    Create VM    vm0
    Start VM    vm0
    Start Command    sleep 600
    Send Signal To QEMU Of    vm0    SIGKILL
    Read Command Output
    Should Fail Saying    VmDied
    ...    VM 'vm0': its process ended; *SIGKILL (9)*
    ...    Ping Guest Agent    vm0
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    crashed
    Nothing Should Be Left Of This Run

A QEMU That Is Frozen While It Starts
    [Documentation]    It is ended at the deadline; the message has the state of its process.
    [Tags]    fault-50
    ${qemu} =    Make A QEMU That Freezes
    Create VM    frozen    qemu=path=${qemu}    mem=size=64
    Should Fail Saying    StartTimeout
    ...    VM 'frozen': QEMU did not answer within *Its process is in state T (stopped by a signal*
    ...    Start VM    frozen    timeout=2 s    warm=False
    Nothing Should Be Left Of This Run

A QEMU That Is Frozen Within A Command
    [Documentation]    What became of the command is not known; once it goes on, so does the VM.
    [Tags]    fault-50
    Create VM    vm0    mem=size=64
    Start VM    vm0    wait_for=process    warm=False
    Send Signal To QEMU Of    vm0    SIGSTOP
    Should Fail Saying    MonitorTimeout
    ...    VM 'vm0': QEMU did not answer query-status within 1 s; the outcome is unknown.*in state T (*
    ...    Run QMP Command    vm0    query-status    timeout=1 s
    Send Signal To QEMU Of    vm0    SIGCONT
    VM Should Be Running    vm0

A QEMU That Cannot Be Killed
    [Documentation]    It waits in the kernel, as if a disk did not answer. What is left is told, and is
    ...    given back when it ends after all.
    [Tags]    fault-57    root
    Create VM    vm0    mem=size=64
    Start VM    vm0    wait_for=process    warm=False
    ${vm} =    Get VM    vm0
    Freeze    ${vm.pid}
    ${error} =    Should Fail Saying    CleanupError
    ...    VM 'vm0': process ${vm.pid} did not end, not even by SIGKILL; it waits in the kernel *
    ...    Stop VM    vm0    timeout=0 s
    Should Contain    ${error}    Its process is in state D (
    Should Contain    ${error}    Left: that process with its memory, its private directory, its images
    Unfreeze
    Stop VM    vm0    timeout=0 s
    Nothing Should Be Left Of This Run

The Kernel Kills QEMU For Want Of Memory
    [Documentation]    In a control group that has too little for what the guest writes. The kills of
    ...    other groups do not count.
    [Tags]    fault-52    root
    ${group} =    Start VM In A Control Group    vm0
    Leave Little Memory    ${group}
    Should Fail Saying    VmDied
    ...    VM 'vm0': its process ended; 'Execute In Guest' needs it running. The kernel killed it for want of memory*
    ...    Execute In Guest    vm0    dd if=/dev/zero of=/run/much bs=1M count=100    timeout=${PATIENCE}
    Nothing Should Be Left Of This Run


*** Keywords ***
Start VM In A Control Group
    [Documentation]    With all else that is started from now on, as the supervisor starts it.
    [Arguments]    ${vm}
    Create VM    first    mem=size=64
    Start VM    first    wait_for=process    warm=False
    ${first} =    Get VM    first
    ${group} =    Put Parent In Control Group    ${first.pid}
    Kill VM    first
    Create VM    ${vm}
    Start VM    ${vm}    wait_for=agent
    RETURN    ${group}

Send Signal To QEMU Of
    [Documentation]    As somebody else would.
    [Arguments]    ${vm}    ${signal}
    ${found} =    Get VM    ${vm}
    Evaluate    os.kill(${found.pid}, signal.${signal})    modules=os, signal

Make A QEMU That Freezes
    [Documentation]    The installed QEMU; where it is to be the VM 'frozen', it stops before it begins.
    VAR    ${path}    ${OUTPUT_DIR}/qemu-that-freezes
    VAR    ${freeze}    case "$*" in *"-name frozen"*) kill -STOP $$;; esac
    Create File    ${path}    \#!/bin/sh\n${freeze}\nexec qemu-system-x86_64 "$@"\n
    Evaluate    os.chmod($path, 0o755)    modules=os
    RETURN    ${path}
