*** Settings ***
Documentation       Back ends of vhost-user cards that are missing, silent or broken, each with a
...                 real QEMU that waits for them.

Resource            ../resources/common.resource
Library             ../resources/Failures.py
Library             ../resources/BadPeers.py

Test Setup          Create VM With A Card
Test Teardown       Nothing Should Be Left Of This Run

Test Tags           faults    vhost-user    both-versions


*** Variables ***
# QEMU itself does not come up.
${WARM}         ${FALSE}    # robocop: off=VAR02
${SOCKET}       /tmp/bad-peer-${{ os.getpid() }}


*** Test Cases ***
Memory Is Shared With The Back End
    [Documentation]    The tester need not ask for it, and cannot turn it off.
    [Tags]    fault-36
    ${arguments} =    Get VM Command Line    vm0
    Should Contain    ${arguments}    memory-backend-memfd,id=ram,size=512M,share=on
    Set VM Parameter    vm0    machine    machine=pc,opts=memory-backend=mine
    ${error} =    Should Fail With    ConfigError    Start VM    vm0
    Should Contain    ${error.summary}    memory-backend

A Socket That Is Not There
    [Documentation]    The switch has to be started first.
    [Tags]    fault-37
    ${error} =    Should Fail With    BackendError    Start VM    vm0
    Should Match    ${error.summary}    *'${SOCKET}': No such file or directory. Start the back end*
    Should Be Equal As Integers    ${error.evidence.exit_code}    1

A Back End That Says Nothing
    [Documentation]    It is named at the deadline.
    [Tags]    fault-38
    Set VM Card    silent
    ${error} =    Should Fail With    StartTimeout    Start VM    vm0    timeout=2 s
    Should Match    ${error.summary}
    ...    VM 'vm0': QEMU did not answer within 2.* s. It waits for the vhost-user back end behind '${SOCKET}-silent'.
    Should Be True    $error.evidence.waited >= 2

A Back End That Hangs Up
    [Documentation]    Told long before the deadline, though QEMU tries again for ever; what it
    ...    floods its log with is capped.
    [Tags]    fault-39
    Set VM Card    closes
    ${error} =    Should Fail With    BackendError    Start VM    vm0    timeout=2 min
    Should Match    ${error.summary}    *'${SOCKET}-closes' does not talk to QEMU as one: Failed to*
    Should Be True    $error.evidence.waited < 60
    Should Be True    len($error.evidence.stderr_tail) <= 8192
    ${size} =    Get File Size    ${error.evidence.artifacts}/stderr.log
    Should Be True    0 < ${size} <= 16 * 2 ** 20

A Back End That Talks Garbage
    [Documentation]    What QEMU read is told.
    [Tags]    fault-40
    Set VM Card    garbage
    ${error} =    Should Fail With    BackendError    Start VM    vm0    timeout=2 min
    Should Match    ${error.summary}    *'${SOCKET}-garbage' does not talk to QEMU as one: Failed to*
    Should Be True    $error.evidence.waited < 60


*** Keywords ***
Create VM With A Card
    [Documentation]    Whose back end is nowhere.
    Create VM    vm0    mem=size=512
    Add VM Device    vm0    driver=vhost-user    opt_path=${SOCKET}

Set VM Card
    [Documentation]    Gives the VM a card with such a back end in the place of the other.
    [Arguments]    ${behaviour}
    Listen As Bad Peer    ${SOCKET}-${behaviour}    ${behaviour}
    Set VM Parameter    vm0    device    driver=vhost-user,opt_path=${SOCKET}-${behaviour}
