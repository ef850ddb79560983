*** Settings ***
Documentation       What needs no rights of root works for an ordinary user.

Resource            ../resources/common.resource
Library             SSHLibrary

Suite Setup         Start A Guest


*** Variables ***
# A file whose appearance ends the run.
${GO}               ${NONE}


*** Test Cases ***
A VM Is Reached In Every Way
    [Documentation]    By SSH, agent and monitor.
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0
    Guest Should Answer    vm0
    Put File In Guest    vm0    ${CURDIR}/accelerator.robot    /tmp/file
    Capture VM Screenshot    vm0

A VM Is Changed While It Runs
    [Documentation]    By hot plug and by snapshots. It stays until it was looked at from outside.
    ${id} =    Add VM Device    vm0    driver=virtio-rng-pci
    Remove VM Device    vm0    ${id}
    Save VM Snapshot    vm0    clean
    Restore VM Snapshot    vm0    clean
    ${vm} =    Get VM    vm0
    Log    vm0 is process ${vm.pid}    console=${True}
    Wait Until Created    ${GO}    timeout=5 min
    Guest Should Answer    vm0

A VM Starts Warm
    [Documentation]    Nothing of another user is in the way, whose names of files are the same.
    Create VM    vm1
    Start VM    vm1    warm=${True}
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm1
    @{templates} =    List VM Templates
    Length Should Be    ${templates}    1
    Stop VM    vm1    timeout=0 s


*** Keywords ***
Start A Guest
    [Documentation]    With all that others might want to get at.
    Create VM    vm0    vnc=auto=yes    serial=type=socket    cpu=number=2
    Start VM    vm0    warm=${False}
