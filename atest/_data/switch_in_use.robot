*** Settings ***
Documentation       A switch, a tester and a VM on them: what a run that is killed has to lose.

Resource            ../../resources/openvswitch.resource
Resource            ../../resources/traffic.resource


*** Test Cases ***
Be Killed
    [Documentation]    Says what it has, and waits.
    ${before} =    Get Host Hugepages
    Reserve Host Hugepages    512M
    ${namespaces} =    Start VM On Switch
    Log To Console    \nNAMESPACES ${namespaces}
    Log To Console    DIRECTORY ${OVS_DIRECTORY}
    Log To Console    HUGEPAGES ${before[0].total}
    Sleep    10 min    until somebody ends this


*** Keywords ***
Start VM On Switch
    [Documentation]    Returns the names of the network namespaces that are made for it.
    Prepare OVS
    ${cable}    ${tester} =    Connect Tester    tester    ${OVS_NAMESPACE}
    Start OVS
    Add OVS Bridge    br0
    Add OVS Port    br0    ${cable}    ${1}
    ${socket} =    Add OVS VHost User Port    br0    vhost-net0    ${2}
    Create VM    vm0    mem=size=128,hugepage=yes
    Add VM Device    vm0    driver=vhost-user    opt_path=${socket}
    Start VM    vm0    wait_for=process
    RETURN    ${OVS_NAMESPACE} ${tester.namespace}
