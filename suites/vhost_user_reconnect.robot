*** Settings ***
Documentation       The back end of a vhost-user port dies while the VM runs, and comes back.
...
...                 QEMU listens at the socket here (``opt_server``) and the switch connects to it:
...                 that is the way in which a back end can be started anew under a VM that runs.
...
...                 | tester <--> cable | switch | vhost-net0 <-- QEMU, eth0 in the guest |

Resource            ../resources/openvswitch.resource
Resource            ../resources/traffic.resource
Library             SSHLibrary

Suite Setup         Set Up All
Suite Teardown      Tear Down All
Test Setup          Start Capture    tester
Test Teardown       Run Keyword If Test Failed    Run Keyword And Ignore Error    Log OVS State

Test Tags           vhost-user


*** Variables ***
# The VMs are clones of a template, which their first start makes; with False each one boots.
${WARM}             ${TRUE}
# For the switch and the VM.
${HUGEPAGES}        768M
${VM_MAC}           00:00:20:00:00:20


*** Test Cases ***
Packets Come Back From The VM
    [Documentation]    The guest's kernel sends back what it gets, as long as all is well.
    Packets Should Come Back

The VM Outlives Its Back End
    [Documentation]    The switch is killed: no packet comes back, and the VM runs on.
    Kill OVS Switch
    ${packet} =    Create UDP Packet    lost    eth.dst=${VM_MAC}
    Send Packets    tester    ${packet}    count=3
    No Packet Should Arrive    tester    payload=lost
    VM Should Be Running    vm0
    ${result} =    Execute In Guest    vm0    true
    Should Be Equal As Integers    ${result.rc}    0

A New Back End Takes Over
    [Documentation]    The switch is started again, connects to the VM that runs, and packets pass:
    ...    five times, as a back end that crashes again and again.
    FOR    ${round}    IN RANGE    5
        Log    round ${round + 1}
        Start OVS Switch
        Forward To VM
        Wait Until Packets Come Back
        Packets Should Come Back
        IF    ${round} < 4    Kill OVS Switch
    END
    VM Should Be Running    vm0


*** Keywords ***
Set Up All
    [Documentation]    A switch with the cable to the tester, and a VM that reflects packets.
    ${socket} =    Start Switch
    Create VM    vm0    guest=flavour=testpmd    mem=size=448,hugepage=yes    cpu=number=1
    Add VM Device    vm0    driver=vhost-user    opt_path=${socket}    opt_mac=${VM_MAC}    opt_server=yes
    Start VM    vm0    timeout=4 min    warm=${WARM}
    Reflect In The Guest's Kernel    eth0
    Start Capture    tester
    Wait Until Packets Come Back

Start Switch
    [Documentation]    A switch between the tester's cable and a port for the VM; returns the path of
    ...    the socket at which QEMU is to listen.
    Skip Unless OVS Can Run
    Skip Unless Hugepages Can Be Reserved    ${HUGEPAGES}
    Prepare OVS
    @{ends} =    Connect Tester    tester    ${OVS_NAMESPACE}
    Start OVS
    Add OVS Bridge    br0
    Add OVS Port    br0    ${ends}[0]    ${1}
    ${socket} =    Add OVS VHost User Client Port    br0    vhost-net0    ${2}
    Forward To VM
    RETURN    ${socket}

Tear Down All
    [Documentation]    The VM, the switch, the tester, the memory.
    Stop All VMs
    Stop OVS
    Close Tester    tester
    Release Host Hugepages

Forward To VM
    [Documentation]    The switch passes all from the cable to the VM, and back.
    Replace OVS Flows    br0    in_port=1,actions=2    in_port=2,actions=1

Reflect In The Guest's Kernel
    [Documentation]    What comes in at a card of the guest goes out there again, as it is.
    [Arguments]    ${interface}
    ${script} =    Catenate    SEPARATOR=\n    set -e
    ...    ip link set ${interface} up promisc on
    ...    /bin/tc qdisc add dev ${interface} ingress
    ...    /bin/tc filter add dev ${interface} ingress matchall action mirred egress redirect dev ${interface}
    Execute In Guest    vm0    ${script}    expected_rc=${0}

Wait Until Packets Come Back
    [Documentation]    The switch connects to QEMU again within seconds, and says so to nobody.
    ${packet} =    Create UDP Packet    probe    eth.dst=${VM_MAC}
    Wait Until Keyword Succeeds    1 min    1 s    Probe    ${packet}

Probe
    [Documentation]    One packet, and its way back.
    [Arguments]    ${packet}
    Send Packets    tester    ${packet}
    Receive Packets    tester    timeout=2 s    payload=probe

Packets Should Come Back
    [Documentation]    Three packets go in and three come back.
    ${packet} =    Create UDP Packet    there and back    eth.dst=${VM_MAC}
    Send And Receive    tester    ${packet}    ${packet}    payload=there and back
