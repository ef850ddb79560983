*** Settings ***
Documentation       Host file systems without space, before a start and while the guest runs. Needs
...                 root for small file systems of its own.

Resource            ../resources/guest.resource
Library             ../resources/Failures.py
Library             ../resources/SmallFileSystems.py

Test Setup          Put Private Directories On A Small File System
Test Teardown       Stop VMs And Expect That Nothing Is Left

Test Tags           faults    root


*** Variables ***
# Each fault strikes in a start of its own.
${WARM}     ${FALSE}    # robocop: off=VAR02


*** Test Cases ***
No Space For The Private Directory
    [Documentation]    With the free bytes; not even an empty directory stays.
    [Tags]    fault-21
    Fill File System    ${SMALL}
    Create VM    vm0
    ${error} =    Should Fail With    HostError    Start VM    vm0
    Should Match    ${error.summary}    VM 'vm0': Cannot write '${SMALL}/dtsvirt-*': No space left on device (0 bytes*
    Empty File System    ${SMALL}
    Directory Should Be Empty    ${SMALL}

No Space For An Overlay
    [Documentation]    With the file system and what it has left.
    [Tags]    fault-19
    VAR    ${image}    ${OUTPUT_DIR}/base.qcow2
    Run    qemu-img create -f qcow2 ${image} 64M
    Fill File System    ${SMALL}    leave=16384
    Create VM    vm0    disk=file=${image},overlay=yes
    ${error} =    Should Fail With    HostError    Start VM    vm0
    Should Match    ${error.summary}
    ...    VM 'vm0': there is no space for the overlay of '${image}': * bytes are free on *'${SMALL}/*
    Empty File System    ${SMALL}
    Directory Should Be Empty    ${SMALL}

The Disk Becomes Full While The Guest Writes
    [Documentation]    The keyword that waits is told; the guest goes on when there is space again,
    ...    and can be stopped when not.
    [Tags]    fault-20
    ${image} =    Start Guest On A Small Disk
    VAR    ${write}    dd if\=/dev/zero of\=/dev/vda bs\=1M count\=8 conv\=fsync
    ${error} =    Should Fail With    GuestIoError
    ...    Execute In Guest    vm0    ${write}    timeout=${PATIENCE}
    Should Contain    ${{ str($error) }}    No space left on device
    Should Contain    ${{ str($error) }}    ${image}
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    paused
    Stop VM    vm0


*** Keywords ***
Put Private Directories On A Small File System
    [Documentation]    Those of the VMs of this test.
    ${path} =    Mount Small File System    8192
    VAR    ${SMALL}    ${path}    scope=SUITE
    Set Environment Variable    XDG_RUNTIME_DIR    ${path}

Start Guest On A Small Disk
    [Documentation]    Its disk has 64 MiB, and the host 4 MiB for it. Returns the image.
    ${place} =    Mount Small File System    4096
    Run    truncate -s 64M ${place}/disk.raw
    Create VM    vm0    guest=flavour=default    disk=file=${place}/disk.raw,format=raw
    Start VM    vm0    wait_for=agent    timeout=${PATIENCE}
    Wait Until In Guest    vm0    test -b /dev/vda
    RETURN    ${place}/disk.raw

Stop VMs And Expect That Nothing Is Left
    [Documentation]    Private directories are where they were before.
    Stop All VMs    timeout=0 s
    Nothing Should Be Left Of This Run
    Remove Environment Variable    XDG_RUNTIME_DIR
