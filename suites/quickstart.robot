*** Settings ***
Documentation       The shortest tour: boot a guest, talk to it in two ways, stop it.
...
...                 Nothing has to be prepared. A VM with neither disk nor kernel boots the
...                 embedded guest, which the library builds once and keeps.

Library             DtsVirtLibrary
Library             SSHLibrary

Suite Setup         Boot The Guest
Suite Teardown      Stop All VMs

Test Tags           quickstart


*** Test Cases ***
A Command Runs Over SSH
    [Documentation]    Start VM has logged SSHLibrary in already; its keywords just work.
    ${kernel} =    Execute Command    uname -r
    Should Match Regexp    ${kernel}    ^\\d+\\.\\d+

A Command Runs Through The Guest Agent
    [Documentation]    This needs neither a network nor a login.
    ${result} =    Execute In Guest    vm0    cat /proc/sys/kernel/hostname
    Should Be Equal As Integers    ${result.rc}    ${0}
    Should Be Equal    ${result.stdout.strip()}    vm0

The Guest Has Its Address
    [Documentation]    The control card is named host_connect and has its address by DHCP.
    ${interfaces} =    Get Guest Interfaces    vm0
    Should Be Equal    ${interfaces['host_connect'].ipv4}    10.0.2.15

PCI Devices Are Found By Their Ids
    [Documentation]    The same address inside the guest as in the mapping.
    ${address} =    Get Guest PCI Address    vm0    extra
    ${link} =    Execute Command    ls -d /sys/bus/pci/devices/${address}
    Should End With    ${link}    ${address}

It Stops Cleanly
    [Documentation]    The guest agent shuts the guest down; the stage that worked is returned.
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    guest agent shutdown
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    stopped


*** Keywords ***
Boot The Guest
    [Documentation]    Creates a VM with one more device than it needs, and starts it.
    Create VM    vm0    mem=size=512    cpu=number=1
    Add VM Device    vm0    driver=virtio-rng-pci    opt_id=extra
    ${guest} =    Start VM    vm0
    Log    ${guest}
