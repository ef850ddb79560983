*** Settings ***
Documentation       QEMU runs as another user than the library, with that user's rights alone.

Resource            ../resources/guest.resource
Library             SSHLibrary
Library             Processes.py

Suite Setup         Start VM As Somebody Else
Suite Teardown      End What Was Started

Test Timeout        4 min

Test Tags           security


*** Variables ***
${SOMEBODY}         nobody
# A virtio-blk disk is there when it has a size.
${SIZE_OF_DISK}     cat /sys/class/block/vda/size


*** Test Cases ***
Its Rights Are That User's
    [Documentation]    No number of root's is left, and no capability.
    ${status} =    Get Process Status    ${PID}
    ${uid} =    Evaluate    pwd.getpwnam($SOMEBODY).pw_uid    modules=pwd
    ${gid} =    Evaluate    pwd.getpwnam($SOMEBODY).pw_gid    modules=pwd
    Should Be Equal    ${{ set($status['Uid'].split()) }}    ${{ {str($uid)} }}
    Should Be Equal    ${{ set($status['Gid'].split()) }}    ${{ {str($gid)} }}
    Should Be Equal    ${{ set($status['Groups'].split()) }}    ${{ {str($gid)} }}
    FOR    ${set}    IN    CapInh    CapPrm    CapEff    CapAmb
        Should Be Equal As Integers    ${{ int($status[$set], 16) }}    0
    END

The VM Works
    [Documentation]    By SSH, with its overlay, and with a tap that is that user's.
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0
    Wait Until In Guest    vm0    test -e /sys/class/block/vda
    ${sectors} =    Ask Guest    vm0    ${SIZE_OF_DISK}
    Should Be Equal As Integers    ${sectors}    2048
    Execute In Guest    vm0    echo written | dd of=/dev/vda conv=fsync    expected_rc=${0}
    ${log} =    OperatingSystem.Get File    ${DIRECTORY}/serial.log
    Should Contain    ${log}    host_connect has 10.0.2.15

Its Directory Is Not That User's To Change
    [Documentation]    Root reads from there: nothing can be put in the place of its files.
    ${owner} =    Evaluate    os.stat($DIRECTORY).st_uid    modules=os
    Should Be Equal As Integers    ${owner}    0
    ${modes} =    Evaluate    oct(os.stat($DIRECTORY).st_mode & 0o777)    modules=os
    Should Be Equal    ${modes}    0o711

What That User Cannot Open Is Refused
    [Documentation]    Before anything is started, with the path.
    ${closed} =    Evaluate    tempfile.mkdtemp(prefix='closed', dir='/tmp')    modules=tempfile
    Create File    ${closed}/disk.raw    ${{ chr(0) * 1048576 }}
    Create VM    vm1    run_as=${SOMEBODY}    disk=file=${closed}/disk.raw
    Run Keyword And Expect Error
    ...    VM 'vm1': run_as=${SOMEBODY}: that user may not read '${closed}/disk.raw' on localhost. *
    ...    Start VM    vm1    wait_for=process
    [Teardown]    Remove Directory    ${closed}    recursive=${True}

What That User Cannot Make Is Refused
    [Documentation]    The directory is root's.
    Create VM    vm1    run_as=${SOMEBODY}    serial=type=socket
    Run Keyword And Expect Error
    ...    VM 'vm1': run_as=${SOMEBODY}: that user cannot make the socket of the serial port, *
    ...    Start VM    vm1    wait_for=process

A Disk Is Plugged In
    [Documentation]    Its overlay is made that user's too.
    Add VM Disk    vm0    file=${OPEN}/disk.raw    opt_format=raw    overlay=yes    opt_id=second
    Wait Until In Guest    vm0    test -e /sys/class/block/vdb
    Execute In Guest    vm0    echo written | dd of=/dev/vdb conv=fsync    expected_rc=${0}

Its Memory Is In Hugepages
    [Documentation]    Which that user could not make files for.
    Reserve Host Hugepages    64M
    Create VM    vm1    run_as=${SOMEBODY}    mem=size=64,hugepage=yes
    Start VM    vm1    wait_for=process
    ${vm} =    Get VM    vm1
    ${rollup} =    OperatingSystem.Get File    /proc/${vm.pid}/smaps_rollup
    Should Match Regexp    ${rollup}    (Private|Shared)_Hugetlb: +65536 kB
    [Teardown]    Run Keywords    Kill VM    vm1    AND    Release Host Hugepages

An Unknown User Is Refused
    [Documentation]    By name.
    Create VM    vm1    run_as=no-such-user
    Run Keyword And Expect Error
    ...    VM 'vm1': run_as=no-such-user: there is no such user on localhost.
    ...    Start VM    vm1    wait_for=process


*** Keywords ***
Start VM As Somebody Else
    [Documentation]    With an image that everybody may read, under an overlay, and with a tap.
    ${open} =    Evaluate    tempfile.mkdtemp(prefix='open', dir='/tmp')    modules=tempfile
    VAR    ${OPEN}    ${open}    scope=SUITE
    Create File    ${OPEN}/disk.raw    ${{ chr(0) * 1048576 }}
    Evaluate    (os.chmod($OPEN, 0o755), os.chmod($OPEN + '/disk.raw', 0o644))    modules=os
    Create VM    vm0
    ...    run_as=${SOMEBODY}
    ...    guest=flavour=default
    ...    disk=file=${OPEN}/disk.raw,overlay=yes
    ...    net=type=nic,opt_model=virtio;type=user
    Add VM Net    vm0    type=nic    opt_vlan=1    opt_model=virtio
    Add VM Net    vm0    type=tap    opt_vlan=1
    Start VM    vm0
    Find Out What It Has

Find Out What It Has
    [Documentation]    Its process and its directory.
    ${vm} =    Get VM    vm0
    VAR    ${PID}    ${vm.pid}    scope=SUITE
    ${directory} =    Get Directory Of VM    ${PID}
    VAR    ${DIRECTORY}    ${directory}    scope=SUITE

End What Was Started
    [Documentation]    The VM and the image.
    Stop All VMs    timeout=0 s
    Remove Directory    ${OPEN}    recursive=${True}
