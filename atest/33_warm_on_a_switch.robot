*** Settings ***
Documentation       A clone with plain memory whose card is a vhost-user port of Open vSwitch with
...                 DPDK: the switch maps a copy of the template's memory. Clones with hugepages are
...                 shown by the suites for testers.

# Not common.resource, which imports the library with other arguments than this one.
Resource            ../resources/openvswitch.resource
Library             OperatingSystem
Library             Process

Suite Setup         Start A Switch
Suite Teardown      Stop The Switch
Test Teardown       Stop All VMs    timeout=0 s

Test Tags           warm    vhost-user    both-versions    root


*** Variables ***
${PLACE}            /dev/shm/dtsvirt-switch-${{ os.getpid() }}
${GUEST_IP}         10.1.0.1
${NAMESPACE_IP}     10.1.0.9


*** Test Cases ***
A Clone Reaches The Other Side Of The Switch
    [Documentation]    The first start makes the template; the second one has nothing but that.
    FOR    ${_}    IN RANGE    2
        ${session} =    Start VM    vm0    warm=True    wait_for=agent    timeout=4 min
        Should Be Equal    ${session.stages[2].name}    state restored
        Namespace Should Reach Guest
        Stop VM    vm0    timeout=0 s
    END

The Switch Writes To The Clone's Memory Alone
    [Documentation]    That is a copy, which goes with the clone; the template stays as it is.
    ${templates} =    List VM Templates
    ${before} =    Run Process    sha256sum    ${templates[0].directory}/memory
    Start VM    vm0    warm=True    wait_for=agent    timeout=4 min
    Namespace Should Reach Guest
    There Should Be Copies    1
    Stop VM    vm0    timeout=0 s
    There Should Be Copies    0
    ${after} =    Run Process    sha256sum    ${templates[0].directory}/memory
    Should Be Equal    ${before.stdout}    ${after.stdout}


*** Keywords ***
Start A Switch
    [Documentation]    It learns addresses; one port leads to a network namespace, one to the VM.
    Skip Unless OVS Can Run
    Skip Unless Hugepages Can Be Reserved    ${OVS_MEMORY}M
    Set Environment Variable    DTSVIRT_TEMPLATES    ${PLACE}
    Prepare OVS
    ${socket} =    Connect Namespace And Socket
    Create VM    vm0    mem=size=320
    Add VM Device    vm0    driver=vhost-user    opt_path=${socket}    opt_mac=00:00:20:00:00:20

Connect Namespace And Socket
    [Documentation]    By a bridge of the switch; returns the path of the socket.
    ${name} =    Create Network Namespace
    VAR    ${NAMESPACE}    ${name}    scope=SUITE
    ${near}    ${_} =    Create Veth Pair    namespace=${name}    near_namespace=${OVS_NAMESPACE}
    ...    peer_address=${NAMESPACE_IP}/24
    Start OVS
    Add OVS Bridge    br0
    Add OVS Port    br0    ${near}    ${1}
    ${socket} =    Add OVS VHost User Port    br0    vhost-net0    ${2}
    Wait Until Host Socket Exists    ${socket}
    Replace OVS Flows    br0    actions=NORMAL
    RETURN    ${socket}

Stop The Switch
    [Documentation]    The VM first, which needs it; then what templates there are. The library
    ...    would remove the switch's directory at the end of the run; suites that come next look for
    ...    such directories before.
    Stop All VMs    timeout=0 s
    Stop OVS
    Release Host Hugepages
    Remove Environment Variable    DTSVIRT_TEMPLATES
    OperatingSystem.Remove Directory    ${PLACE}    recursive=True
    ${directory} =    Get Variable Value    ${OVS_DIRECTORY}    ${PLACE}
    OperatingSystem.Remove Directory    ${directory}    recursive=True

There Should Be Copies
    [Documentation]    Of templates, beside them.
    [Arguments]    ${number}
    ${names} =    OperatingSystem.List Directory    ${PLACE}    .draft-*
    Length Should Be    ${names}    ${number}

Namespace Should Reach Guest
    [Documentation]    A ping through the switch and back.
    Execute In Guest    vm0    ip address add ${GUEST_IP}/24 dev eth0 && ip link set eth0 up
    ...    expected_rc=${0}
    ${ping} =    Run Process    ip    netns    exec    ${NAMESPACE}    ping    -c    1    -w    60    ${GUEST_IP}
    Should Be Equal As Integers    ${ping.rc}    0    ${ping.stdout}${ping.stderr}
