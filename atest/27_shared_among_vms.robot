*** Settings ***
Documentation       What two VMs cannot both have is refused before the second one starts.

Resource            resources/guest.resource
Library             Process

Suite Setup         Start The First VM
Suite Teardown      Stop VMs And Remove Images

Test Setup          Create VM    second
Test Teardown       Stop VM    second    timeout=0 s

Test Tags           conflicts    both-versions


*** Variables ***
# No guest is waited for, and each image is opened as it is named.
${WARM}         ${FALSE}    # robocop: off=VAR02
${IMAGES}       ${OUTPUT_DIR}/shared-images
${MAC}          52:54:00:55:66:77


*** Test Cases ***
An Image That Another VM Writes To
    [Documentation]    Also by another name of the same file, and as the base of an overlay.
    Second VM Should Be Refused
    ...    VM 'second': disk image '${IMAGES}/written.qcow2' is in use by VM 'first', which writes*
    ...    disk    file=${IMAGES}/written.qcow2
    Second VM Should Be Refused
    ...    VM 'second': disk image '${IMAGES}/link.qcow2' is in use by VM 'first', which writes*
    ...    disk    file=${IMAGES}/link.qcow2,overlay=yes

An Image That Another VM Reads
    [Documentation]    It cannot be written to, but it can be read by both.
    Second VM Should Be Refused
    ...    VM 'second': disk image '${IMAGES}/read.qcow2' is in use by VM 'first', which reads it*
    ...    disk    file=${IMAGES}/read.qcow2
    Set VM Parameter    second    disk    file=${IMAGES}/read.qcow2,overlay=yes
    Start VM    second    wait_for=process

One Image Twice In One VM
    [Documentation]    Two disks need two images.
    Second VM Should Be Refused
    ...    VM 'second': disk image '${IMAGES}/free.qcow2' is given twice*
    ...    disk    file=${IMAGES}/free.qcow2;file=${IMAGES}/free.qcow2

A MAC Address
    [Documentation]    Written in whatever way. Cards that are given none never have the same.
    Second VM Should Be Refused
    ...    VM 'second': MAC address ${MAC} is that of VM 'first', which runs.*
    ...    net    type=nic,opt_macaddr=${MAC.upper()};type=user

A Port Of The Host
    [Documentation]    A fixed one; 0 has QEMU pick a free one for each.
    Second VM Should Be Refused
    ...    VM 'second': tcp port ${PORT} of the host is that of VM 'first', which runs.*
    ...    net    type=nic;type=user,opt_hostfwd=tcp::${PORT}-:22

An Image That A Foreign QEMU Has
    [Documentation]    Its lock is seen, by a disk and by an overlay; both are named, and the
    ...    foreign one is left alone.
    [Tags]    fault-15    fault-16
    VAR    ${image}    ${IMAGES}/foreign.qcow2
    Lock Image In A Foreign QEMU    ${image}
    ${pid} =    Get Process Id    foreign
    FOR    ${overlay}    IN    no    yes
        Second VM Should Be Refused
        ...    VM 'second': image '${image}' is in use: process ${pid} (qemu-system-x86) that is none of*
        ...    disk    file=${image},overlay=${overlay}
    END
    Process Should Be Running    foreign
    Terminate Process    foreign
    Start VM    second    wait_for=process

A Port That A Foreign Process Has
    [Documentation]    It is told by its rule, and so is the process.
    [Tags]    fault-25
    ${port} =    Hold A Port
    Second VM Should Be Refused
    ...    VM 'second': the port of opt_hostfwd=tcp:127.0.0.1:${port}-:22 cannot be had: process*
    ...    net    type=nic;type=user,opt_hostfwd=tcp::${port}-:22

What A VM Had Is Free When It Has Stopped
    [Documentation]    All of it.
    Kill VM    first
    Set VM Parameter    second    disk    file=${IMAGES}/written.qcow2
    Set VM Parameter
    ...    second
    ...    net
    ...    type=nic,opt_macaddr=${MAC};type=user,opt_hostfwd=tcp::${PORT}-:22
    Start VM    second    wait_for=process


*** Keywords ***
Start The First VM
    [Documentation]    It writes to one image and reads another.
    Create Directory    ${IMAGES}
    FOR    ${name}    IN    written    read    free    foreign
        Run Process    qemu-img    create    -q    -f    qcow2    ${IMAGES}/${name}.qcow2    8M
    END
    Run Process    ln    -s    written.qcow2    ${IMAGES}/link.qcow2
    ${port} =    Evaluate    (s := socket.create_server(('127.0.0.1', 0))).getsockname()[1]
    ...    modules=socket
    VAR    ${PORT}    ${port}    scope=SUITE
    Create VM    first    guest=flavour=default
    ...    disk=file=${IMAGES}/written.qcow2;file=${IMAGES}/read.qcow2,overlay=yes
    ...    net=type=nic,opt_macaddr=${MAC};type=user,opt_hostfwd=tcp::${PORT}-:22
    Start VM    first    wait_for=process

Second VM Should Be Refused
    [Documentation]    With this parameter, before anything of it was started.
    [Arguments]    ${message}    ${parameter}    ${value}
    Set VM Parameter    second    ${parameter}    ${value}
    Run Keyword And Expect Error    ${message}    Start VM    second    wait_for=process
    ${vm} =    Get VM    second
    Should Be Equal    ${vm.pid}    ${None}

Lock Image In A Foreign QEMU
    [Documentation]    It has the image open when it has greeted.
    [Arguments]    ${image}
    VAR    ${greeting}    ${OUTPUT_DIR}/foreign.txt
    Start Process    qemu-system-x86_64    -M    none    -display    none    -qmp    stdio
    ...    -drive    file\=${image},format\=qcow2,if\=none,id\=held
    ...    stdin=PIPE    stdout=${greeting}    alias=foreign
    Wait Until Keyword Succeeds    1 min    0.1 s    File Should Not Be Empty    ${greeting}

Stop VMs And Remove Images
    [Documentation]    Also what a failed test has left.
    Stop All VMs    timeout=0 s
    Terminate All Processes
    Remove Directory    ${IMAGES}    recursive=yes
