*** Settings ***
Documentation       A guest prints what no report could hold as it is: half of a surrogate pair, NUL,
...                 escape sequences, bytes that are no UTF-8, and words that would be HTML.

Library             Process
Library             DtsVirtLibrary    warm=${TRUE}

Suite Setup         Start A Guest
Suite Teardown      Stop All VMs    timeout=0


*** Variables ***
${WILD}     printf "*HTML*<b id=wild>\\355\\240\\200\\000\\033[31m\\007\\376\\377\\302\\205 bold</b>"


*** Test Cases ***
By The Agent
    [Documentation]    What a command printed is logged, and is part of a failure.
    ${result} =    Execute In Guest    vm0    ${WILD}
    Log    ${result.stdout}
    Execute In Guest    vm0    ${WILD} >&2; exit 1    expected_rc=0

By An Application On The Host
    [Documentation]    It ends without the prompt.
    Start Application    wild    sh -c '${WILD}'    prompt=ready>

By An Application In The Guest
    [Documentation]    Likewise.
    Start Application    wild    sh -c '${WILD}'    prompt=ready>    vm=vm0

By The Serial Console
    [Documentation]    The end of it is told when QEMU is killed.
    Execute In Guest    vm0    (echo; ${WILD}; echo; echo told) > /dev/ttyS0    expected_rc=0
    ${vm} =    Get VM    vm0
    Run Process    kill    -9    ${vm.pid}
    Ping Guest Agent    vm0


*** Keywords ***
Start A Guest
    [Documentation]    With a session, for the application in it.
    Create VM    vm0
    Start VM    vm0
