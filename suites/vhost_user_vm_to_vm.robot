*** Settings ***
Documentation       Two VMs that reach each other over vhost-user, by the switch between them.
...
...                 | vm0 eth0 --> vhost-net0 | switch | vhost-net1 --> vm1 eth0 |

Resource            ../resources/openvswitch.resource
Library             SSHLibrary

Suite Setup         Set Up All
Suite Teardown      Tear Down All

Test Tags           vhost-user


*** Variables ***
# The VMs are clones of a template, which their first start makes; with False each one boots.
${WARM}             ${TRUE}
# For the switch and two VMs.
${HUGEPAGES}        1216M
${VM_MEMORY}        size=448,hugepage=yes


*** Test Cases ***
The VMs Reach Each Other
    [Documentation]    Every packet of a ping is answered, in both directions.
    Reach From    vm0    10.1.0.2
    Reach From    vm1    10.1.0.1

What One VM Sends Arrives Whole
    [Documentation]    A file goes over the switch, in TCP, and is the same at the other end.
    ${sum} =    Run In Guest    vm0    head -c 2000000 /dev/urandom >/tmp/data && md5sum </tmp/data
    Start Application    receiver    sh -c 'nc -l -p 4000 >/tmp/data; md5sum </tmp/data; echo received'    vm=vm1
    Wait Until Guest Listens    vm1    4000
    Run In Guest    vm0    nc -w 60 10.1.0.2 4000 </tmp/data
    ${printed} =    Wait Until Application Prints    receiver    received    timeout=2 min
    Should Contain    ${printed}    ${sum}
    Stop Application    receiver

A VM That Is Gone Is Missed
    [Documentation]    When one VM has stopped, the other goes on, and comes back to it when it is up.
    Stop VM    vm1
    ${result} =    Execute In Guest    vm0    ping -c 2 -W 1 10.1.0.2
    Should Not Be Equal As Integers    ${result.rc}    0
    Start VM On Switch    vm1    vhost-net1    10.1.0.2
    Reach From    vm0    10.1.0.2


*** Keywords ***
Set Up All
    [Documentation]    The switch, and two VMs on it.
    Start Switch
    Create VM On Switch    vm0    vhost-net0    00:00:20:00:00:20
    Create VM On Switch    vm1    vhost-net1    00:00:20:00:00:21
    Start VM On Switch    vm0    vhost-net0    10.1.0.1
    Start VM On Switch    vm1    vhost-net1    10.1.0.2

Start Switch
    [Documentation]    A switch that learns addresses, with two vhost-user ports.
    Skip Unless OVS Can Run
    Skip Unless Hugepages Can Be Reserved    ${HUGEPAGES}
    Prepare OVS
    Start OVS
    Add OVS Bridge    br0
    Add OVS VHost User Port    br0    vhost-net0    ${1}
    Add OVS VHost User Port    br0    vhost-net1    ${2}
    Replace OVS Flows    br0    actions=NORMAL

Tear Down All
    [Documentation]    The VMs, then the switch, then the memory.
    Stop All VMs
    Stop OVS
    Release Host Hugepages

Create VM On Switch
    [Documentation]    Creates a VM with one card on a port of the switch.
    [Arguments]    ${vm}    ${port}    ${mac}
    Create VM    ${vm}    mem=${VM_MEMORY}    cpu=number=1
    Add VM Device    ${vm}    driver=vhost-user    opt_path=${OVS_DIRECTORY}/${port}    opt_mac=${mac}

Start VM On Switch
    [Documentation]    Starts a VM and gives its card on the switch an address.
    [Arguments]    ${vm}    ${port}    ${address}
    Wait Until Host Socket Exists    ${OVS_DIRECTORY}/${port}
    Start VM    ${vm}    timeout=4 min    warm=${WARM}
    Run In Guest    ${vm}    ip address add ${address}/24 dev eth0 && ip link set eth0 up

Reach From
    [Documentation]    A guest gets an answer to each of three packets to an address.
    [Arguments]    ${vm}    ${address}
    ${printed} =    Run In Guest    ${vm}    ping -c 3 -W 10 ${address}
    Should Contain    ${printed}    0% packet loss

Run In Guest
    [Documentation]    Runs a command in a guest's shell and returns what it prints.
    [Arguments]    ${vm}    ${command}
    ${result} =    Execute In Guest    ${vm}    ${command}    timeout=2 min    expected_rc=${0}
    RETURN    ${result.stdout.strip()}

Wait Until Guest Listens
    [Documentation]    Waits until a program of the guest listens on a TCP port.
    [Arguments]    ${vm}    ${port}
    VAR    ${hexadecimal} =    ${{ "%04X" % int($port) }}
    Run In Guest    ${vm}
    ...    until grep -q ":${hexadecimal} .* 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null; do usleep 100000; done
