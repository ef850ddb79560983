*** Settings ***
Documentation       A QEMU that somebody else ends: whatever is under way is told so at once, with
...                 the signal and that it was not the library's; nothing is left, and to stop
...                 the VM is no failure.

Resource            ../resources/guest.resource
Library             ../resources/ControlGroups.py
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
    Kill QEMU Of    vm0
    ${error} =    Run Keyword And Expect Error
    ...    VM 'vm0': its process ended; 'Run QMP Command' needs it running. It was killed from outside: *
    ...    Run QMP Command    vm0    query-status
    Should Contain    ${error}    this library did not send that signal
    Should Contain    ${error}    Process ended: signal SIGKILL (9)
    Run Keyword And Expect Error    *'VM Should Not Have Crashed'*    VM Should Not Have Crashed    vm0
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    already stopped
    Nothing Should Be Left Of This Run

QEMU Is Killed Under An SSH Session
    [Documentation]    The session ends at once, and the next keyword says why.
    [Tags]    fault-51
    Create VM    vm0
    Start VM    vm0
    Start Command    sleep 600
    Kill QEMU Of    vm0
    Read Command Output
    Run Keyword And Expect Error
    ...    VM 'vm0': its process ended; *SIGKILL (9)*
    ...    Ping Guest Agent    vm0
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    crashed
    Nothing Should Be Left Of This Run

The Kernel Kills QEMU For Want Of Memory
    [Documentation]    In a control group that has too little for what the guest writes.
    [Tags]    fault-52    root
    Create VM    vm0
    Start VM    vm0    wait_for=agent
    ${vm} =    Get VM    vm0
    Take Memory From    ${vm.pid}
    Run Keyword And Expect Error
    ...    VM 'vm0': its process ended; 'Execute In Guest' needs it running. The kernel killed it for want of memory*
    ...    Execute In Guest    vm0    dd if=/dev/zero of=/run/much bs=1M count=100    timeout=${PATIENCE}
    Nothing Should Be Left Of This Run


*** Keywords ***
Kill QEMU Of
    [Documentation]    As somebody else would.
    [Arguments]    ${vm}
    ${found} =    Get VM    ${vm}
    Evaluate    os.kill(${found.pid}, signal.SIGKILL)    modules=os, signal
