*** Settings ***
Documentation       A VXLAN tunnel endpoint in front of VMs, with real packets.
...
...                 The endpoint is Open vSwitch with DPDK. Its physical port is a cable to the tester
...                 in a network namespace; a VM hangs on it by two vhost-user ports, and DPDK's
...                 testpmd in the VM forwards from one to the other:
...
...                 | tester <--> physical port | endpoint | vhost-net0 --> testpmd --> vhost-net1 |
...
...                 Each case starts the endpoint with the tunnel on one side or on both, then the VM.
...                 See docs/vxlan_sample.md.

Resource            ../resources/openvswitch.resource
Resource            ../resources/testpmd.resource
Resource            ../resources/traffic.resource
Library             SSHLibrary

Suite Setup         Set Up All
Suite Teardown      Tear Down All
Test Setup          Start Capture    tester
Test Teardown       Clear VXLAN Sample Environment

Test Tags           vxlan


*** Variables ***
# The VMs are clones of a template, which their first start makes; with False each one boots.
${WARM}                 ${TRUE}
${CONFIG}               ${CURDIR}/../conf/vxlan_sample.cfg
# For the endpoint and two VMs.
${HUGEPAGES}            1344M
${VNI}                  ${1000}
${ENDPOINT_MAC}         02:00:00:00:10:01
${ENDPOINT_IP}          192.0.2.1
${TESTER_IP}            192.0.2.9
# The ports of the endpoint's two bridges by number.
${TUNNEL}               ${10}
${TO_CABLE}             ${11}
${CABLE}                ${1}
${TO_VMS}               ${2}
# The VMs' network cards.
@{MACS}                 00:00:20:00:00:20    00:00:20:00:00:21
@{MORE_MACS}            00:00:20:00:00:22    00:00:20:00:00:23


*** Test Cases ***
Encap
    [Documentation]    Plain UDP goes in; VXLAN with the VNI and all of the packet comes out.
    [Setup]    Prepare VXLAN Sample Environment    encap=${TRUE}    decap=${FALSE}
    Start Forwarding In VM
    ${plain} =    Create UDP Packet    plain goes in    eth.dst=${MACS}[0]
    ${tunnelled} =    From Endpoint    ${plain}
    Send And Receive    tester    ${plain}    ${tunnelled}    vxlan.vni=${VNI}
    ...    inner.payload=plain goes in    inner.ip.checksum.status=Good    inner.udp.checksum.status=Good

Decap
    [Documentation]    VXLAN goes in; what was inside comes out, through either port of the VM.
    [Setup]    Prepare VXLAN Sample Environment    encap=${FALSE}    decap=${TRUE}
    Start Forwarding In VM
    FOR    ${mac}    IN    @{MACS}
        ${inner} =    Create UDP Packet    VXLAN goes in    eth.dst=${mac}
        ${tunnelled} =    To Endpoint    ${inner}
        Send And Receive    tester    ${tunnelled}    ${inner}    eth.dst=${mac}
        ...    payload=VXLAN goes in    ip.checksum.status=Good    udp.checksum.status=Good
    END
    Packets Should Have Passed Both Ports    3

Encap And Decap
    [Documentation]    VXLAN goes in and comes out; inside, nothing has changed.
    [Setup]    Prepare VXLAN Sample Environment    encap=${TRUE}    decap=${TRUE}
    Start Forwarding In VM
    FOR    ${mac}    IN    @{MACS}
        ${inner} =    Create UDP Packet    in and out    eth.dst=${mac}
        ${sent} =    To Endpoint    ${inner}
        ${returned} =    From Endpoint    ${inner}
        Send And Receive    tester    ${sent}    ${returned}    vxlan.vni=${VNI}
        ...    inner.eth.dst=${mac}    inner.payload=in and out
    END
    Packets Should Have Passed Both Ports    3

Another Network's Packets Stay Out
    [Documentation]    A packet of another VNI reaches no VM, though its inner address is one.
    [Setup]    Prepare VXLAN Sample Environment    encap=${TRUE}    decap=${TRUE}
    Start Forwarding In VM
    ${inner} =    Create UDP Packet    not for you    eth.dst=${MACS}[0]
    ${foreign} =    To Endpoint    ${inner}    vni=${1001}
    Send Packets    tester    ${foreign}    count=3
    ${known} =    Create UDP Packet    for you    eth.dst=${MACS}[0]
    ${sent} =    To Endpoint    ${known}
    ${returned} =    From Endpoint    ${known}
    Send And Receive    tester    ${sent}    ${returned}    inner.payload=for you
    No Packet Should Arrive    tester    inner.payload=not for you

Checksum
    [Documentation]    Wrong checksums inside the tunnel come back right: testpmd writes those of IP,
    ...    UDP and TCP anew.
    [Setup]    Prepare VXLAN Sample Environment    encap=${TRUE}    decap=${TRUE}
    Start Testpmd    vm0    nic0    nic1
    Correct Checksums    vm0    0    1
    Forward Packets    vm0    csum
    ${udp} =    Create UDP Packet    wrong UDP    eth.dst=${MACS}[0]    ip.checksum=0xbad    udp.checksum=0xbad
    Checksums Should Come Back Right    ${udp}    udp
    ${tcp} =    Create TCP Packet    wrong TCP    eth.dst=${MACS}[0]    ip.checksum=0xbad    tcp.checksum=0xbad
    Checksums Should Come Back Right    ${tcp}    tcp

SCTP Checksum
    [Documentation]    The same for SCTP, whose checksum testpmd cannot write in software: the guest's
    ...    own kernel forwards instead.
    [Setup]    Prepare VXLAN Sample Environment    encap=${TRUE}    decap=${TRUE}
    Forward In The Guest's Kernel    eth0    eth1    csum iph and sctp
    ${sctp} =    Create SCTP Packet    wrong SCTP    eth.dst=${MACS}[0]    ip.checksum=0xbad    sctp.checksum=0xbad
    Checksums Should Come Back Right    ${sctp}    sctp

TSO
    [Documentation]    One TCP packet with 892 bytes comes back as segments of at most 256.
    ...
    ...    testpmd cuts it on its way out of port 1, without checksums; the endpoint sends the
    ...    segments through once more, back to port 0, where they get them.
    [Setup]    Prepare VXLAN Sample Environment    encap=${TRUE}    decap=${TRUE}
    Return What Comes From    ${2}
    Start Segmenting In VM    at_most=256
    ${large} =    Create TCP Packet    payload_size=892    eth.dst=${MACS}[0]    tcp.seq=1000
    ${sent} =    To Endpoint    ${large}
    Send Packets    tester    ${sent}
    @{segments} =    Receive Packets    tester    4    vxlan.vni=${VNI}    inner.ip.proto=6
    Segments Should Hold    ${segments}    ${large}[payload]    at_most=256
    No Packet Should Arrive    tester    vxlan.vni=${VNI}    inner.ip.proto=6

Two VMs
    [Documentation]    Two VMs on one endpoint: each forwards what is for it, and nothing else.
    [Setup]    Prepare VXLAN Sample Environment    encap=${TRUE}    decap=${TRUE}    vms=${2}
    Start Forwarding In VM    vm0
    Start Forwarding In VM    vm1
    VAR    &{first_of} =    vm0=${MACS}[0]    vm1=${MORE_MACS}[0]
    FOR    ${vm}    ${mac}    IN    &{first_of}
        ${inner} =    Create UDP Packet    for ${vm}    eth.dst=${mac}
        ${sent} =    To Endpoint    ${inner}
        ${returned} =    From Endpoint    ${inner}
        Send And Receive    tester    ${sent}    ${returned}    vxlan.vni=${VNI}    inner.payload=for ${vm}
        Port Should Have Received    ${vm}    0    3
    END

Throughput
    [Documentation]    Packets a second through tunnel, VM and tunnel, by frame size. There is no
    ...    limit to pass: emulated machines are slow.
    [Tags]    performance
    [Setup]    Prepare VXLAN Sample Environment    encap=${TRUE}    decap=${TRUE}
    Start Forwarding In VM
    VAR    @{results} =    @{EMPTY}
    # With the 42 bytes of headers these are frames of 64, 512 and 1400 bytes in the tunnel.
    FOR    ${size}    IN    22    470    1358
        ${inner} =    Create UDP Packet    payload_size=${size}    eth.dst=${MACS}[0]
        ${sent} =    To Endpoint    ${inner}
        ${result} =    Measure Throughput    tester    ${sent}    rate=2000    duration=3 s
        VAR    @{results} =    @{results}    ${result}
    END
    Log Throughput    @{results}
    FOR    ${result}    IN    @{results}
        Should Be True    ${result.received} > 0
    END


*** Keywords ***
Set Up All
    [Documentation]    What all cases share: memory, the tester, and the cable to it.
    Skip Unless OVS Can Run
    Skip Unless Hugepages Can Be Reserved    ${HUGEPAGES}
    Prepare OVS
    ${cable}    ${tester} =    Connect Tester    tester    ${OVS_NAMESPACE}
    VAR    ${CABLE_NAME} =    ${cable}    scope=SUITE
    VAR    ${TESTER_MAC} =    ${tester.mac}    scope=SUITE
    Load VM Config    ${CONFIG}

Tear Down All
    [Documentation]    Gives everything back that the suite took from the host.
    Close Tester    tester
    Release Host Hugepages

Prepare VXLAN Sample Environment
    [Documentation]    The endpoint first, with ``encap`` and ``decap`` or without, then the VMs on it.
    [Arguments]    ${encap}    ${decap}    ${vms}=${1}
    Start Capture    tester
    Start Endpoint    ${vms}
    Let Packets Through    ${encap}    ${decap}    ${vms}
    Start VM On Endpoint    vm0    ${0}    ${MACS}
    IF    ${vms} > 1    Start VM On Endpoint    vm1    ${2}    ${MORE_MACS}

Clear VXLAN Sample Environment
    [Documentation]    The guest's applications, the VMs, the endpoint: in this order.
    Run Keyword If Test Failed    Run Keyword And Ignore Error    Log OVS State
    Stop Testpmd    vm0
    Stop Testpmd    vm1
    Stop All VMs
    Stop OVS
    Stop Capture    tester

Start Endpoint
    [Documentation]    Starts the switch with two bridges: the cable and the tunnel's address are on
    ...    one, the tunnel and two vhost-user ports for each VM on the other. No socket of an
    ...    earlier run is left; returns when the new ones are there.
    [Arguments]    ${vms}
    Start OVS
    Add OVS Bridge    br-phy    mac=${ENDPOINT_MAC}
    Add OVS Bridge    br-int
    Add OVS Port    br-phy    ${CABLE_NAME}    ${CABLE}
    Connect OVS Bridges    br-int    ${TO_CABLE}    br-phy    ${TO_VMS}
    Add OVS VXLAN Port    br-int    vxlan0    ${TUNNEL}    ${TESTER_IP}
    Set OVS Tunnel Address    br-phy    ${ENDPOINT_IP}/24    ${TESTER_IP}    ${TESTER_MAC}
    FOR    ${number}    IN RANGE    ${vms * 2}
        ${socket} =    Add OVS VHost User Port    br-int    vhost-net${number}    ${number + 1}
        Wait Until Host Socket Exists    ${socket}
    END

Let Packets Through
    [Documentation]    Writes the endpoint's flows. With ``decap`` the VMs get what was in the tunnel,
    ...    else what came plain; with ``encap`` what they send goes into the tunnel.
    [Arguments]    ${encap}    ${decap}    ${vms}
    Replace OVS Flows    br-phy
    ...    priority=2,in_port=${CABLE},dl_dst=${ENDPOINT_MAC},actions=LOCAL
    ...    priority=1,in_port=${CABLE},actions=${TO_VMS}
    ...    priority=1,in_port=${TO_VMS},actions=${CABLE}
    ...    priority=1,in_port=LOCAL,actions=${CABLE}
    VAR    ${from_tester} =    in_port=${TUNNEL},tun_id=${VNI}
    VAR    ${to_tester} =    set_field:${VNI}->tun_id,output:${TUNNEL}
    IF    not ${decap}    VAR    ${from_tester} =    in_port=${TO_CABLE}
    IF    not ${encap}    VAR    ${to_tester} =    output:${TO_CABLE}
    VAR    @{macs} =    @{MACS}    @{MORE_MACS}
    VAR    @{flows} =    @{EMPTY}
    FOR    ${index}    IN RANGE    ${vms * 2}
        VAR    @{flows} =    @{flows}
        ...    priority=1,${from_tester},dl_dst=${macs}[${index}],actions=output:${index + 1}
        ...    priority=1,in_port=${index + 1},actions=${to_tester}
    END
    Replace OVS Flows    br-int    @{flows}

Return What Comes From
    [Documentation]    What the VM sends from a port goes back into it, instead of into the tunnel.
    [Arguments]    ${port}
    Replace OVS Flows    br-int
    ...    priority=1,in_port=${TUNNEL},tun_id=${VNI},actions=output:1
    ...    priority=1,in_port=${port},actions=in_port
    ...    priority=1,in_port=1,actions=set_field:${VNI}->tun_id,output:${TUNNEL}

Start VM On Endpoint
    [Documentation]    Creates a VM of the configuration file with two devices on the endpoint's
    ...    ports from ``first_port`` on, and starts it.
    [Arguments]    ${vm}    ${first_port}    ${macs}
    Create VM    ${vm}
    Add VM Device    ${vm}    driver=vhost-user    opt_path=${OVS_DIRECTORY}/vhost-net${first_port}
    ...    opt_mac=${macs}[0]
    Add VM Device    ${vm}    driver=vhost-user    opt_path=${OVS_DIRECTORY}/vhost-net${first_port + 1}
    ...    opt_mac=${macs}[1]
    ${guest} =    Start VM    ${vm}    timeout=4 min    warm=${WARM}
    Log    ${guest.pci_mapping}

Start Forwarding In VM
    [Documentation]    Starts testpmd in the guest, which sends from both ports first.
    [Arguments]    ${vm}=vm0
    Start Testpmd    ${vm}    nic0    nic1
    Forward Packets    ${vm}    io    start tx_first

Start Segmenting In VM
    [Documentation]    Starts testpmd in the guest: it cuts TCP packets on their way out of port 1,
    ...    and writes checksums on all ways.
    [Arguments]    ${at_most}
    Start Testpmd    vm0    nic0    nic1
    Correct Checksums    vm0    0    1
    Segment TCP    vm0    port=1    payload=${at_most}
    Forward Packets    vm0    csum

Forward In The Guest's Kernel
    [Documentation]    Lets the guest's kernel send all that comes in at one interface out at
    ...    another, with an action of its traffic control in between.
    [Arguments]    ${from}    ${to}    ${action}
    ${script} =    Catenate    SEPARATOR=\n    set -e
    ...    ip link set ${from} up promisc on
    ...    ip link set ${to} up
    ...    /bin/tc qdisc add dev ${from} ingress
    ...    /bin/tc filter add dev ${from} ingress matchall action ${action} pipe action mirred egress redirect dev ${to}
    ${said}    ${rc} =    Execute Command    ${script}    return_stdout=False    return_stderr=True
    ...    return_rc=True
    Should Be Equal As Integers    ${rc}    0    ${said}

To Endpoint
    [Documentation]    Returns a packet in the tunnel, as the tester sends it.
    [Arguments]    ${inner}    ${vni}=${VNI}
    ${packet} =    Encapsulate In VXLAN    ${inner}    ${vni}    eth.src=${TESTER_MAC}
    ...    eth.dst=${ENDPOINT_MAC}    ip.src=${TESTER_IP}    ip.dst=${ENDPOINT_IP}
    RETURN    ${packet}

From Endpoint
    [Documentation]    Returns a packet in the tunnel, as the endpoint should send it.
    [Arguments]    ${inner}
    ${packet} =    Expect In VXLAN    ${inner}    ${VNI}    eth.src=${ENDPOINT_MAC}
    ...    eth.dst=${TESTER_MAC}    ip.src=${ENDPOINT_IP}    ip.dst=${TESTER_IP}
    RETURN    ${packet}

Checksums Should Come Back Right
    [Documentation]    Sends a packet whose checksums are wrong through the tunnel. It comes back the
    ...    same, but for them.
    [Arguments]    ${wrong}    ${protocol}
    ${sent} =    To Endpoint    ${wrong}
    ${returned} =    From Endpoint    ${wrong}
    Send And Receive    tester    ${sent}    ${returned}    inner.payload=${wrong}[payload]
    ...    inner.ip.checksum.status=Good    inner.${protocol}.checksum.status=Good

Segments Should Hold
    [Documentation]    The segments follow one another, none is longer than allowed, their checksums
    ...    are right, and together they hold the payload.
    [Arguments]    ${segments}    ${payload}    ${at_most}
    VAR    ${whole} =    ${EMPTY}
    VAR    ${next} =    ${1000}
    FOR    ${segment}    IN    @{segments}
        Packet Should Match    ${segment}    vxlan.vni=${VNI}    inner.tcp.seq=${next}
        ...    inner.ip.checksum.status=Good    inner.tcp.checksum.status=Good
        Should Be True    ${segment}[inner.payload.len] <= ${at_most}
        VAR    ${next} =    ${next + ${segment}[inner.payload.len]}
        VAR    ${whole} =    ${whole}${segment}[inner.payload]
    END
    Should Be Equal    ${whole}    ${payload}

Packets Should Have Passed Both Ports
    [Documentation]    testpmd has received this many packets at each of its ports.
    [Arguments]    ${count}
    Port Should Have Received    vm0    0    ${count}
    Port Should Have Received    vm0    1    ${count}

Port Should Have Received
    [Documentation]    testpmd of a VM has received this many packets at a port.
    [Arguments]    ${vm}    ${port}    ${count}
    ${statistics} =    Testpmd    ${vm}    show port stats ${port}
    Should Match Regexp    ${statistics}    RX-packets: ${count}\\b
