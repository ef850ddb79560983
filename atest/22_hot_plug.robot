*** Settings ***
Documentation       Cards and disks that come and go while the guest runs, as the guest sees them.
...                 Taps and bridges need root.

Resource            resources/guest.resource
Library             Process

Suite Setup         Start A VM Of Each Machine Type
Suite Teardown      Stop VMs And Remove Images

Test Tags           devices    hotplug    both-versions    root


*** Variables ***
${IMAGES}       ${OUTPUT_DIR}/hot-plug-images
# Documentation addresses: no route of the host leads to them.
${HOST_IP}      198.51.100.9
${GUEST_IP}     198.51.100.1


*** Test Cases ***
A Card With Its User Network Comes And Goes
    [Documentation]    Three times each, by one keyword with both.
    [Template]    Plug A Card Thrice
    pc    virtio
    q35    virtio
    pc    e1000
    q35    e1000e

A Disk Comes And Goes
    [Documentation]    Three times each; what the guest wrote the first time it reads the next.
    [Template]    Plug A Disk Thrice
    pc
    q35

A Card On A Bridge Carries Packets
    [Documentation]    Its tap is made when it is plugged in, and gone when it is unplugged.
    ${bridge} =    Create Bridge    address=${HOST_IP}/24
    FOR    ${vm}    IN    pc    q35
        ${card} =    Add VM Net    ${vm}    type=bridge    opt_br=${bridge}    opt_model=virtio
        ${taps} =    OperatingSystem.List Directory    /sys/class/net/${bridge}/brif
        Length Should Be    ${taps}    1
        Host Should Be Reached Through    ${vm}    ${card}
        Remove VM Device    ${vm}    ${card}
        OperatingSystem.Directory Should Not Exist    /sys/class/net/${taps}[0]
    END
    Delete Bridge    ${bridge}

Any Other Device Comes And Goes Too
    [Documentation]    It keeps the id that it was given.
    FOR    ${vm}    IN    pc    q35
        ${id} =    Add VM Device    ${vm}    driver=virtio-balloon-pci    opt_id=balloon
        Should Be Equal    ${id}    balloon
        ${address} =    Get Guest PCI Address    ${vm}    balloon
        Wait Until In Guest    ${vm}    test -d /sys/bus/pci/devices/${address}
        Remove VM Device    ${vm}    balloon
        Ask Guest    ${vm}    test ! -d /sys/bus/pci/devices/${address} && echo gone
    END

A Card Needs Its Back End
    [Documentation]    The message says how to give both.
    Run Keyword And Expect Error
    ...    VM 'pc' runs, and a card is plugged in together with its back end*Found: type=nic.
    ...    Add VM Net    pc    type=nic    opt_model=virtio

What Another VM Has Is Not Plugged In
    [Documentation]    Neither its image nor its card's address. The control cards' are no example:
    ...    clones have those in common.
    ${card} =    Add VM Net    q35    type=user    opt_model=virtio
    ${mac} =    Get MAC Of Card    q35    ${card}
    Run Keyword And Expect Error
    ...    VM 'pc': MAC address ${mac} is that of VM 'q35', which runs.*
    ...    Add VM Net    pc    type=user    opt_macaddr=${mac}
    Remove VM Device    q35    ${card}
    ${disk} =    Add VM Disk    q35    ${IMAGES}/q35.qcow2
    Run Keyword And Expect Error
    ...    VM 'pc': disk image '*/q35.qcow2' is in use by VM 'q35', which writes to it.*
    ...    Add VM Disk    pc    ${IMAGES}/q35.qcow2
    Remove VM Device    q35    ${disk}
    ${disk} =    Add VM Disk    pc    ${IMAGES}/q35.qcow2
    Remove VM Device    pc    ${disk}

An Unknown Device Is Not Unplugged
    [Documentation]    The nearest is offered; the library's own stay.
    Run Keyword And Expect Error
    ...    VM 'pc' has no device 'plug9'*
    ...    Remove VM Device    pc    plug9
    Run Keyword And Expect Error
    ...    VM 'pc': 'virtio-serial0' belongs to the library and stays.*
    ...    Remove VM Device    pc    virtio-serial0

The Guests Are As They Were
    [Documentation]    No device of all these is left, and they stop as gently as ever.
    FOR    ${vm}    IN    pc    q35
        ${now} =    Ask Guest    ${vm}    lspci
        Should Be Equal    ${now}    ${DEVICES_BEFORE}[${vm}]
        ${stage} =    Stop VM    ${vm}
        Should Be Equal    ${stage.value}    guest agent shutdown
    END


*** Keywords ***
Start A VM Of Each Machine Type
    [Documentation]    With an image for each to plug in.
    Create Directory    ${IMAGES}
    VAR    &{DEVICES_BEFORE}    &{EMPTY}    scope=SUITE
    FOR    ${vm}    IN    pc    q35
        Run Process    qemu-img    create    -q    -f    qcow2    ${IMAGES}/${vm}.qcow2    8M
        Create VM    ${vm}    machine=machine=${vm}
        Start VM    ${vm}    wait_for=agent
        Wait Until Drivers Are Loaded    ${vm}
        ${devices} =    Ask Guest    ${vm}    lspci
        Set To Dictionary    ${DEVICES_BEFORE}    ${vm}=${devices}
    END

Plug A Card Thrice
    [Documentation]    The guest has an interface with its address, until it is unplugged.
    [Arguments]    ${vm}    ${model}
    FOR    ${round}    IN RANGE    3
        VAR    ${mac}    52:54:00:33:44:0${round}
        ${card} =    Add VM Net    ${vm}    type=user    opt_model=${model}    opt_macaddr=${mac}
        ${interface} =    Get Guest Interface By MAC    ${vm}    ${mac}
        ${address} =    Get Guest PCI Address    ${vm}    ${card}
        ${device} =    Ask Guest    ${vm}    readlink -f /sys/class/net/${interface}
        Should Contain    ${device}    /${address}/
        Remove VM Device    ${vm}    ${card}
        Ask Guest    ${vm}    test ! -e /sys/class/net/${interface} && echo gone
    END

Plug A Disk Thrice
    [Documentation]    The guest has a disk that keeps what is on it.
    [Arguments]    ${vm}
    VAR    ${written}    nothing
    FOR    ${round}    IN RANGE    3
        ${id} =    Add VM Disk    ${vm}    ${IMAGES}/${vm}.qcow2
        ${address} =    Get Guest PCI Address    ${vm}    ${id}
        ${disk} =    Get Guest Disk Behind    ${vm}    ${address}
        ${found} =    Ask Guest    ${vm}    head -c 7 /dev/${disk} | tr -d '\\0'
        IF    ${round} > 0    Should Be Equal    ${found}    ${written}
        VAR    ${written}    round ${round}
        Ask Guest    ${vm}    printf "${written}" | dd of=/dev/${disk} conv=notrunc,fsync 2>&1
        Remove VM Device    ${vm}    ${id}
        Ask Guest    ${vm}    test ! -e /sys/block/${disk} && echo gone
    END

Host Should Be Reached Through
    [Documentation]    The guest gives a card an address and pings the bridge by it.
    [Arguments]    ${vm}    ${card}
    ${mac} =    Get MAC Of Card    ${vm}    ${card}
    ${interface} =    Get Guest Interface By MAC    ${vm}    ${mac}
    Ask Guest    ${vm}    ip address add ${GUEST_IP}/24 dev ${interface}; ip link set ${interface} up
    Wait Until In Guest    ${vm}    ping -c 1 -W 1 ${HOST_IP} >/dev/null

Stop VMs And Remove Images
    [Documentation]    The images say nothing later.
    Stop All VMs
    Remove Directory    ${IMAGES}    recursive=yes
