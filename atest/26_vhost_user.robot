*** Settings ***
Documentation       vhost-user cards on the way to their back end: the memory that it needs, and
...                 what is said where it is missing. With a back end, other suites use them.

Resource            resources/common.resource
Library             resources/Failures.py

Test Teardown       Stop All VMs    timeout=0 s

Test Tags           vhost-user    both-versions


*** Variables ***
# No guest is waited for: the way to the back end is tested.
${WARM}         ${FALSE}    # robocop: off=VAR02
${SOCKET}       /tmp/no-vhost-user-${{ os.getpid() }}


*** Test Cases ***
Memory Is Shared Without Being Asked For
    [Documentation]    By memfd, which needs neither a mount nor hugepages; a VM without such a
    ...    card has none of it.
    [Tags]    fault-36
    Create VM    vm0    mem=size=256
    ${plain} =    Get VM Command Line    vm0    format=shell
    Should Not Contain    ${plain}    memory-backend
    Add VM Device    vm0    driver=vhost-user    opt_path=${SOCKET}
    ${arguments} =    Get VM Command Line    vm0
    Should Contain    ${arguments}    memory-backend-memfd,id=ram,size=256M,share=on
    ${machine} =    Get Value Of Argument    ${arguments}    -machine
    Should Contain    ${machine}    memory-backend=ram

A Missing Socket Is Told
    [Documentation]    With its path and what to do.
    [Tags]    fault-37
    Create VM    vm0
    Add VM Device    vm0    driver=vhost-user    opt_path=${SOCKET}
    Should Fail Saying    BackendError
    ...    VM 'vm0': QEMU cannot reach the back end behind the socket '${SOCKET}': No such file*
    ...    Start VM    vm0
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    stopped

A Server That Nobody Connects To Is Named
    [Documentation]    QEMU waits for the back end before it answers; the socket goes with it.
    [Tags]    fault-41
    Create VM    vm0
    Add VM Device    vm0    driver=vhost-user    opt_path=${SOCKET}    opt_server=yes
    Should Fail Saying    StartTimeout
    ...    VM 'vm0': QEMU did not answer within * It listens on '${SOCKET}' until the vhost-user*
    ...    Start VM    vm0    timeout=3 s
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    stopped
    OperatingSystem.File Should Not Exist    ${SOCKET}

A vhost-user Card Has No Other Model
    [Documentation]    Refused before the start.
    Create VM    vm0
    Run Keyword And Expect Error
    ...    *opt_model*
    ...    Add VM Device    vm0    driver=vhost-user    opt_path=${SOCKET}    opt_model=e1000

A Running VM Without Shared Memory Takes No Such Card
    [Documentation]    It would have a dead card; the message says how to start it.
    [Tags]    fault-36
    Create VM    vm0
    Start VM    vm0    wait_for=process
    Should Fail Saying    VmStateError
    ...    VM 'vm0' was started without shared memory*Give the VM one vhost-user card before*
    ...    Add VM Device    vm0    driver=vhost-user    opt_path=${SOCKET}


*** Keywords ***
Get Value Of Argument
    [Documentation]    Returns the word after an argument.
    [Arguments]    ${arguments}    ${name}
    ${index} =    Get Index From List    ${arguments}    ${name}
    RETURN    ${arguments}[${index + 1}]
