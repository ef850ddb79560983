*** Settings ***
Documentation       Bridges and taps between VMs and a network namespace, and user networks.
...                 Taps and bridges need root.

Resource            resources/guest.resource
Library             Process
Library             resources/Failures.py

Suite Setup         Start Two VMs On One Bridge
Suite Teardown      Stop All VMs

Test Tags           network    root


*** Variables ***
# Documentation addresses: no route of the host leads to them.
${NAMESPACE_IP}     198.51.100.9
&{VM_IPS}           left=198.51.100.1    right=198.51.100.2


*** Test Cases ***
A Namespace Reaches A Guest Through Tap And Bridge
    [Documentation]    By a veth pair of which one end is on the bridge.
    Namespace Should Reach    ${VM_IPS}[left]

A Guest Reaches Another One On The Same Bridge
    [Documentation]    One by type=tap, the other by type=bridge; and the namespace as well.
    Guest Should Reach    left    ${VM_IPS}[right]
    Guest Should Reach    right    ${VM_IPS}[left]
    Guest Should Reach    right    ${NAMESPACE_IP}

A Bridge That Is Not There Is Made
    [Documentation]    It goes with the VM that it was made for.
    OperatingSystem.Directory Should Exist    /sys/class/net/${SECOND_BRIDGE}/bridge
    ${ports} =    OperatingSystem.List Directory    /sys/class/net/${SECOND_BRIDGE}/brif
    Length Should Be    ${ports}    1

Ports Of The Host Lead Into The Guest
    [Documentation]    One to a server in the guest, beside the one that SSH comes in by.
    Ask Guest    left    mkdir /tmp/www; echo hello from the guest > /tmp/www/index.html
    Ask Guest    left    httpd -p 8080 -h /tmp/www
    ${port} =    Get Host Port Of Forward    left    8080
    ${page} =    Evaluate
    ...    urllib.request.urlopen('http://127.0.0.1:${port}/', timeout=60).read().decode()
    ...    modules=urllib.request
    Should Be Equal    ${page}    hello from the guest\n
    ${ssh} =    Get Host Port Of Forward    left    22
    ${vm} =    Get VM    left
    Should Be Equal As Integers    ${ssh}    ${vm.session.port}

Nothing Is Left When The VMs Have Stopped
    [Documentation]    Taps and the bridge that was made are gone; the bridge that was there
    ...    before has lost its ports; no file below /etc was touched.
    @{taps} =    OperatingSystem.List Directory    /sys/class/net/${BRIDGE}/brif    tap-*
    Length Should Be    ${taps}    2
    Stop All VMs
    FOR    ${name}    IN    @{taps}    ${SECOND_BRIDGE}
        OperatingSystem.Directory Should Not Exist    /sys/class/net/${name}
    END
    ${ports} =    OperatingSystem.List Directory    /sys/class/net/${BRIDGE}/brif
    Should Be Equal    ${ports}    ${{ [$NEAR] }}
    ${digest} =    Get Digest Of Scripts
    Should Be Equal    ${digest}    ${SCRIPTS_BEFORE}

What Was Made On The Host Is Deleted By Its Keywords
    [Documentation]    A bridge that still has a port stays.
    Delete Bridge    ${BRIDGE}
    OperatingSystem.Directory Should Exist    /sys/class/net/${BRIDGE}
    Delete Veth Pair    ${NEAR}
    Delete Network Namespace    ${NAMESPACE}
    OperatingSystem.Directory Should Not Exist    /sys/class/net/${NEAR}
    OperatingSystem.File Should Not Exist    /run/netns/${NAMESPACE}

A Tap That Another Program Has Open Is Told
    [Documentation]    With the program that has it.
    [Tags]    fault-46
    ${tap} =    Create Tap
    VAR    ${netdev}    tap,id=n,ifname=${tap},script=no,downscript=no
    Start Application    holder
    ...    qemu-system-x86_64 -machine none -nodefaults -display none -monitor stdio -netdev ${netdev}
    ...    prompt=(qemu)
    Create VM    third    net=type=nic;type=user;type=nic,opt_vlan=1;type=tap,opt_vlan=1,opt_ifname=${tap}
    Should Fail Saying    HostError
    ...    VM 'third': tap '${tap}' is in use: process * (qemu-system-x86) has it open. *
    ...    Start VM    third    wait_for=process    warm=${FALSE}
    [Teardown]    Stop Application    holder    quit

The Missing Right Is Named
    [Documentation]    A run of root without CAP_NET_ADMIN can start VMs, but make no interface.
    [Tags]    fault-46
    ${run} =    Run Process    setpriv    --bounding-set    -net_admin    --
    ...    python    -m    robot    --outputdir    ${OUTPUT_DIR}/without-rights
    ...    --maxerrorlines    NONE    ${CURDIR}/_data/without_rights.robot
    ...    stdout=${OUTPUT_DIR}/without-rights.txt    stderr=STDOUT
    Log    ${run.stdout}
    Should Contain    ${run.stdout}    2 tests, 2 passed, 0 failed
    Should Be Equal As Integers    ${run.rc}    0


*** Keywords ***
Start Two VMs On One Bridge
    [Documentation]    The first also has a forward, the second a bridge that is yet to be made.
    ${digest} =    Get Digest Of Scripts
    VAR    ${SCRIPTS_BEFORE}    ${digest}    scope=SUITE
    Create Network On Host
    VAR    ${SECOND_BRIDGE}    ${BRIDGE}x    scope=SUITE
    Create Left And Right
    FOR    ${vm}    ${ip}    IN    &{VM_IPS}
        Start VM    ${vm}    wait_for=agent
        Set Address Of Guest    ${vm}    inside    ${ip}
    END

Create Left And Right
    [Documentation]    A card and its back end are given one by one, or in one go.
    Create VM    left    net=type=nic,opt_model=virtio;type=user,opt_hostfwd=tcp::0-:8080
    Add VM Net    left    type=nic    opt_vlan=1    opt_model=virtio    opt_name=inside
    Add VM Net    left    type=tap    opt_vlan=1    opt_br=${BRIDGE}
    Create VM    right
    Add VM Net    right    type=bridge    opt_br=${BRIDGE}    opt_model=e1000    opt_name=inside
    Add VM Net    right    type=bridge    opt_br=${SECOND_BRIDGE}    opt_model=virtio

Create Network On Host
    [Documentation]    A namespace with one end of a veth pair; the other end is on a bridge.
    ${name} =    Create Bridge
    VAR    ${BRIDGE}    ${name}    scope=SUITE
    ${name} =    Create Network Namespace
    VAR    ${NAMESPACE}    ${name}    scope=SUITE
    ${ends} =    Create Veth Pair
    ...    bridge=${BRIDGE}
    ...    namespace=${NAMESPACE}
    ...    peer_address=${NAMESPACE_IP}/24
    VAR    ${NEAR}    ${ends}[0]    scope=SUITE

Set Address Of Guest
    [Documentation]    Gives the interface of a card an address and brings it up.
    [Arguments]    ${vm}    ${card}    ${ip}
    ${mac} =    Get MAC Of Card    ${vm}    ${card}
    ${interface} =    Get Guest Interface By MAC    ${vm}    ${mac}
    Ask Guest    ${vm}    ip address add ${ip}/24 dev ${interface}; ip link set ${interface} up

Namespace Should Reach
    [Documentation]    The guest answers to a ping from the network namespace.
    [Arguments]    ${ip}
    ${ping} =    Run Process    ip    netns    exec    ${NAMESPACE}
    ...    ping    -c    1    -w    30    ${ip}
    Should Be Equal As Integers    ${ping.rc}    0    ${ping.stdout}${ping.stderr}

Guest Should Reach
    [Documentation]    An answer to a ping comes as soon as the links are up.
    [Arguments]    ${vm}    ${ip}
    Wait Until In Guest    ${vm}    ping -c 1 -W 1 ${ip} >/dev/null

Get Host Port Of Forward
    [Documentation]    Returns the port of the host that QEMU picked for a port of the guest.
    [Arguments]    ${vm}    ${guest_port}
    ${text} =    Run Monitor Command    ${vm}    info usernet
    ${found} =    Should Match Regexp
    ...    ${text}
    ...    TCP.HOST_FORWARD.\\s+\\d+\\s+127\\.0\\.0\\.1\\s+(\\d+)\\s+\\S+\\s+${guest_port}\\s
    RETURN    ${found}[1]

Get Digest Of Scripts
    [Documentation]    Returns a digest of what QEMU and its scripts have below /etc.
    ${run} =    Run Process    find /etc/qemu* -type f -exec sha256sum {} + | sort    shell=yes
    RETURN    ${run.stdout}
