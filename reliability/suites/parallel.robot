*** Settings ***
Documentation       What several workers and runs do at the same time, with the same names.

Library             DtsVirtLibrary    warm=True
Library             SSHLibrary
Library             reliability.stage.Stage

Test Teardown       Stop All VMs    timeout=0 s


*** Variables ***
${IMAGE}        ${EMPTY}
${PAIRS}        ${1}


*** Test Cases ***
Pairs Of VMs Come And Go
    [Documentation]    Each guest says by SSH what it was told by its own agent.
    FOR    ${pair}    IN RANGE    ${PAIRS}
        Start A Pair
        Stop All VMs    timeout=0 s
        Log    Pair ${pair} came and went.
        Tell    pair
    END


*** Keywords ***
Start A Pair
    [Documentation]    Both have an overlay over the same image; one has a tap too.
    FOR    ${vm}    IN    vm0    vm1
        Create VM    ${vm}    guest=default    disk=file=${IMAGE},overlay=yes
        Start VM    ${vm}    timeout=10 min
    END
    Add VM Net    vm0    type=tap    opt_model=virtio
    FOR    ${vm}    IN    vm0    vm1
        ${token} =    Evaluate    secrets.token_hex(8)    modules=secrets
        Execute In Guest    ${vm}    echo ${token} $(hostname) >/tmp/token    expected_rc=${0}
        Switch Connection    ${vm}
        ${said} =    Execute Command    cat /tmp/token
        Should Be Equal    ${said}    ${token} ${vm}
    END
