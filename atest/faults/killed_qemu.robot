*** Settings ***
Documentation       A QEMU that somebody else ends: whatever is under way is told so at once, with
...                 the signal and that it was not the library's; nothing is left, and to stop
...                 the VM is no failure.

Resource            ../resources/guest.resource
Library             ../resources/ControlGroups.py
Library             ../resources/Failures.py
Library             SSHLibrary

Test Teardown       Stop All VMs    timeout=0 s
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

The Kernel Kills QEMU For Want Of Memory
    [Documentation]    In a control group that has too little for what the guest writes.
    [Tags]    fault-52    root
    Create VM    vm0
    Start VM    vm0    wait_for=agent
    ${vm} =    Get VM    vm0
    Take Memory From    ${vm.pid}
    Should Fail Saying    VmDied
    ...    VM 'vm0': its process ended; 'Execute In Guest' needs it running. The kernel killed it for want of memory*
    ...    Execute In Guest    vm0    dd if=/dev/zero of=/run/much bs=1M count=100    timeout=${PATIENCE}
    Nothing Should Be Left Of This Run


*** Keywords ***
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
