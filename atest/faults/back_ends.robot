*** Settings ***
Documentation       vhost-user back ends that go while the VM runs, that come back, and the one way
...                 in which QEMU dies of them.

Resource            ../resources/common.resource
Library             ../resources/VhostUserPeers.py
Library             ../resources/Failures.py
Library             SSHLibrary

Suite Setup         Start VM With Two Back Ends
Suite Teardown      Clean Up

Test Timeout        4 min

Test Tags           faults    vhost-user


*** Test Cases ***
A Back End That Goes Is Told
    [Documentation]    By a keyword that looks for it, by one that waits for it, and by a warning
    ...    with the next keyword that uses the VM. The VM lives on.
    [Tags]    fault-42    both-versions
    Stop Back End    ${SOCKETS}/plain
    Wait Until VM NIC Is Disconnected    vm0    dead    timeout=10 s
    Should Fail Saying    BackendError
    ...    VM 'vm0': the vhost-user back end of card 'dead' is disconnected.*
    ...    VM NIC Should Be Connected    vm0    dead
    Should Fail Saying    WaitTimeout
    ...    VM 'vm0': the vhost-user back end of card 'dead' is not connected after *
    ...    Wait Until VM NIC Is Connected    vm0    dead    timeout=0.5 s
    VM Should Be Running    vm0
    VM Should Not Have Crashed    vm0

A Back End That Comes Back Is Connected Again
    [Documentation]    Where reconnecting was asked for.
    [Tags]    fault-43    both-versions
    Stop Back End    ${SOCKETS}/back
    Wait Until VM NIC Is Disconnected    vm0    back    timeout=10 s
    Start Back End    ${SOCKETS}/back
    Wait Until VM NIC Is Connected    vm0    back    timeout=20 s
    VM Should Be Running    vm0

An Unknown Card Is Told With Those There Are
    [Documentation]    Only cards with such a back end count.
    [Tags]    fault-42
    Should Fail Saying    ConfigError
    ...    VM 'vm0' has no card 'ded' with a vhost-user back end. Did you mean 'dead'?*dead, back*
    ...    VM NIC Should Be Connected    vm0    ded

QEMU That Crashes When The Driver Starts
    [Documentation]    As 7.2 does under emulation, where the guest turns on MSI-X for such a card;
    ...    without the library's care for it. Another QEMU is sent the signal.
    [Tags]    fault-44
    Stop VM    vm0    timeout=0
    ${error} =    Crash At The Start Of The Driver    vm1
    Should Contain    ${error}    Process ended: signal SIGSEGV (11)
    Should Contain    ${error}    Last events: RESUME at
    ${vm} =    Get VM    vm1
    Should Contain    ${error}    Artifacts: ${vm.artifacts}
    OperatingSystem.File Should Exist    ${vm.artifacts}/command-line.txt
    Nothing Should Be Left Of This Run


*** Keywords ***
Start VM With Two Back Ends
    [Documentation]    Its card 'dead' does not reconnect, its card 'back' does.
    ${directory} =    Evaluate    tempfile.mkdtemp(dir='/tmp')    modules=tempfile
    VAR    ${SOCKETS} =    ${directory}    scope=SUITE
    Create VM    vm0    mem=size=128
    Start Back End    ${SOCKETS}/plain
    Add VM Device    vm0    driver=vhost-user    opt_path=${SOCKETS}/plain    opt_id=dead
    Start Back End    ${SOCKETS}/back
    Add VM Device    vm0    driver=vhost-user    opt_path=${SOCKETS}/back    opt_id=back    opt_reconnect=1
    Start VM    vm0    wait_for=process    warm=False
    VM NIC Should Be Connected    vm0    dead
    VM NIC Should Be Connected    vm0    back

Crash At The Start Of The Driver
    [Documentation]    Starts a VM; if it comes up all the same, it is ended as it would have been.
    ...    Returns what the error says.
    [Arguments]    ${vm}
    Start Back End    ${SOCKETS}/crash
    Create VM    ${vm}
    Add VM Device    ${vm}    driver=vhost-user    opt_path=${SOCKETS}/crash    opt_settings=vectors=3
    VAR    ${dies}    VM '${vm}': its process ended; *
    TRY
        ${error} =    Should Fail Saying    VmDied    ${dies}    Start VM    ${vm}    wait_for=agent    warm=False
    EXCEPT    'Start VM' did not fail; *    type=GLOB
        ${found} =    Get VM    ${vm}
        Evaluate    os.kill(${found.pid}, signal.SIGSEGV)    modules=os, signal
        Wait Until VM Stops    ${vm}
        ${error} =    Should Fail Saying    VmDied    ${dies}    Ping Guest Agent    ${vm}
    END
    RETURN    ${error}

Clean Up
    [Documentation]    The VMs first: they are connected to what is in the directory.
    Stop All VMs    timeout=0 s
    Remove Directory    ${SOCKETS}    recursive=True
